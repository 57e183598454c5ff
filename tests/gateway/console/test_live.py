"""Pages hear of what changes."""

import asyncio
import json
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.config import VerifyConfig
from gateway.console import live
from gateway.console.house import House
from gateway.console.sessions import COOKIE
from gateway.journal.journal import Journal
from tests.gateway.console.support import Browser, Steady, console_of, folder_of
from tests.gateway.support import NOW_S, Sender, StillClock
from tests.gateway.watch.running import powers_w, readings_of, send

SENDER = Sender()


def test_a_listener_hears_of_each_change_until_its_session_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-316: and of nothing else but a sign of life."""
    monkeypatch.setattr(live, "LOOK_EVERY_S", 0.001)
    house = House(folder_of(tmp_path, SENDER), tmp_path / "gateway.toml", StillClock())
    journal, left = Journal(tmp_path / "data", VerifyConfig()), 12
    steady = Steady()
    heart = live.Heart(house, steady)

    def goes_on() -> bool:
        nonlocal left
        steady.now_s += 1
        left -= 1
        if left in {2, 6}:
            send(journal, left, left, readings_of(powers_w(left), left), NOW_S)
        return left >= 0

    async def heard() -> list[str]:
        return [one async for one in live.events(heart, goes_on)]

    lines = asyncio.run(heard())
    told = [json.loads(one.split("data: ")[1]) for one in lines if one.startswith("event: changed\n")]
    assert [one["journal"] for one in told] == [0, 1, 2]
    assert [one for one in lines if not one.startswith("event")] == [":\n\n"]
    journal.close()


def test_a_session_has_so_many_listeners_and_another_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-378: one that ends makes room; over it the answer is 429."""
    monkeypatch.setattr(live, "LOOKS_MAX", 0)  # one that is let in ends at once
    listeners = live.Listeners()
    with ExitStack() as many:
        for _ in range(live.LISTENERS_MAX):
            assert many.enter_context(listeners.one("a", "vera"))
        assert (listeners.is_room("a", "vera"), listeners.is_room("b", "vera")) == (False, True)
        with listeners.one("a", "vera") as is_room:
            assert not is_room
        assert not listeners.is_room("a", "vera")
    assert listeners.is_room("a", "vera")
    console = console_of(folder_of(tmp_path, SENDER), tmp_path, Steady(), StillClock())
    browser = Browser(console)
    browser.enter("vera")
    with ExitStack() as many:
        for _ in range(live.LISTENERS_MAX):
            many.enter_context(console._listeners.one(browser.cookies[COOKIE], "vera"))
        answer = asyncio.run(browser.ask("GET", "/api/live"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "listeners")


def test_a_user_has_so_many_listeners_in_all_sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-445: who logs in again and again takes no room of others."""
    monkeypatch.setattr(live, "LOOKS_MAX", 0)  # one that is let in ends at once
    console = console_of(folder_of(tmp_path, SENDER), tmp_path, Steady(), StillClock())
    vera, olga = Browser(console), Browser(console)
    vera.enter("vera")
    olga.enter("olga")
    with ExitStack() as many:
        for number in range(live.LISTENERS_OF_USER_MAX):
            assert many.enter_context(console._listeners.one(f"session {number // live.LISTENERS_MAX}", "vera"))
        answer = asyncio.run(vera.ask("GET", "/api/live"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "listeners")
        assert console._listeners.is_room(olga.cookies[COOKIE], "olga")
    assert console._listeners.is_room(vera.cookies[COOKIE], "vera")
    assert console._listeners._counts == Counter()


def test_a_stream_that_ends_is_no_listener_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-378: also one that its browser left in the middle."""
    monkeypatch.setattr(live, "LOOK_EVERY_S", 0.001)
    console = console_of(folder_of(tmp_path, SENDER), tmp_path, Steady(), StillClock())
    browser = Browser(console)
    browser.enter("vera")
    token = browser.cookies[COOKIE]

    async def left() -> int:
        stream = console._events(token, "vera")
        await anext(stream)
        count = console._listeners._counts["session", token]
        await stream.aclose()
        return count

    assert asyncio.run(left()) == 1
    assert console._listeners._counts == Counter()
