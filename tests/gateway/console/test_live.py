"""Pages hear of what changes."""

import asyncio
import json
from pathlib import Path

import pytest

from gateway.config import VerifyConfig
from gateway.console import live
from gateway.console.house import House
from gateway.journal.journal import Journal
from tests.gateway.console.support import Steady, folder_of
from tests.gateway.support import NOW_S, Sender, StillClock
from tests.gateway.watch.test_watcher import powers_w, readings_of, send

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
