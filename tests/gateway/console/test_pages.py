"""What the pages show is what the journal and the alarms' store have."""

import asyncio
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway import lock
from gateway.console.audit import ASKED_CHARS_MAX
from gateway.console.pages import quarantine
from gateway.journal.journal import FILE
from gateway.quarantine import orders
from gateway.quarantine.quarantine import Quarantine, Refused
from gateway.watch.dispatch.post import Post
from gateway.watch.store import Store
from protocol.host import commissioning, signed
from tests.gateway.console.support import MISSING, Browser, Steady, console_of, folder_of, watched
from tests.gateway.support import NOW_S, Sender, StillClock, window
from tests.gateway.watch.running import COUNT, FROM_S, powers_w, readings_of

SENDER = Sender()


def asked(browser: Browser, method: str, path: str, body: Any = None) -> Any:
    answer = asyncio.run(browser.ask(method, path, body))
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_alarm_says_whom_it_was_told_to_and_that_maintenance_kept_it_quiet(tmp_path: Path) -> None:
    """P-377: by the channels of channels.toml as it stands; one that can't be read costs the page nothing else."""
    config = msgspec.structs.replace(folder_of(tmp_path, SENDER), channels=str(tmp_path / "channels.toml"))
    clock = watched(tmp_path)
    (tmp_path / "channels.toml").write_text('[[channel]]\nname = "scada"\nkind = "mqtt"\nhost = "127.0.0.1"\n')
    with closing(Post(tmp_path / "data")) as post:
        post.begin(["scada"], 0)
        post.note([], clock.now_ms())
    with closing(Store(tmp_path / "data")) as store:
        store._connection.execute("UPDATE alarms SET maintenance = 'bags' WHERE id = 2")
    browser = Browser(console_of(config, tmp_path, Steady(), clock))
    browser.enter("vera")
    told = asked(browser, "GET", "/api/alarms/1")["told"]
    assert [(one["change"], one["channel"], one["state"], one["at_ms"]) for one in told][:1] == [
        ("begun", "scada", "waiting", None)
    ]
    assert asked(browser, "GET", "/api/alarms/2")["alarm"]["maintenance"] == "bags"
    (tmp_path / "channels.toml").write_text("[[channel]\n")
    assert asked(browser, "GET", "/api/alarms/1")["told"] == []


def test_an_enterprise_is_drawn_as_it_was_measured_and_its_alarm_can_be_dispatched(tmp_path: Path) -> None:
    """P-314: what is missing is null, never 0; who did what about an alarm stands beside it."""
    config = folder_of(tmp_path, SENDER)
    clock = watched(tmp_path)
    browser = Browser(console_of(config, tmp_path, Steady(), clock))
    browser.enter("olga")
    (enterprise,) = asked(browser, "GET", "/api/enterprises")
    assert (enterprise["id"], enterprise["linkages"][0]["production"]) == ("E1", ["T0001/1"])
    kinds = {one["kind"]: (one["alarms"], one["meaning"][1]) for one in enterprise["kinds"]}
    assert kinds["treatment_off"] == (2, "生产开、治污停")
    assert sum(count for count, _ in kinds.values()) == enterprise["alarms"]
    shown = asked(browser, "GET", f"/api/enterprises/E1/curves?from_s={FROM_S}&to_s={NOW_S}")
    assert (shown["name"], shown["linkages"]) == (enterprise["name"], enterprise["linkages"])
    furnace, cleaner = shown["curves"]
    expected = [None if number == MISSING else powers_w(number) for number in range(COUNT)]
    assert furnace["power_w"] == [one and one[0] for one in expected]
    assert cleaner["power_w"] == [one and one[1] for one in expected]
    assert (furnace["kind"], cleaner["kind"]) == ("production", "treatment")
    alarm = next(one for one in shown["alarms"] if one["kind"] == "treatment_off")
    assert alarm["meaning"][1] == "生产开、治污停"
    asked(browser, "POST", f"/api/alarms/{alarm['id']}/steps", {"state": "dispatched", "note": "督办单 031"})
    after = asked(browser, "GET", f"/api/alarms/{alarm['id']}")
    assert (after["alarm"]["state"], after["steps"][0]["who"], after["alarm"]["may"]) == (
        "dispatched",
        "olga",
        ["answered", "closed"],
    )
    assert (after["told"], after["alarm"]["maintenance"]) == ([], "")
    again = asyncio.run(browser.ask("POST", f"/api/alarms/{alarm['id']}/steps", {"state": "acknowledged"}))
    assert (again.status_code, again.json()["error"]["code"]) == (409, "step")
    (terminal,) = asked(browser, "GET", "/api/terminals")["terminals"]
    assert (terminal["id"], terminal["enterprise"], terminal["window_s"]) == ("T0001", "E1", NOW_S - 900)
    assert terminal["alarms"] == len([one for one in asked(browser, "GET", "/api/alarms") if "T0001" in one["subject"]])


def test_a_damaged_journal_is_said_where_a_page_reads_it(tmp_path: Path) -> None:
    """P-314: as a store that can't be used, not as a bug."""
    config = folder_of(tmp_path, SENDER)
    browser = Browser(console_of(config, tmp_path, Steady(), watched(tmp_path)))
    browser.enter("vera")
    with closing(sqlite3.connect(tmp_path / "data" / FILE)) as connection, connection:
        connection.execute("UPDATE blocks SET frames = substr(frames, 1, length(frames) - 3)")
    answer = asyncio.run(browser.ask("GET", f"/api/enterprises/E1/curves?from_s={FROM_S}&to_s={NOW_S}"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store")
    assert "block ends within a frame" in answer.json()["error"]["en"]


def test_absurd_spans_are_refused(tmp_path: Path) -> None:
    """P-314."""
    config = folder_of(tmp_path, SENDER)
    clock = watched(tmp_path)
    browser = Browser(console_of(config, tmp_path, Steady(), clock))
    browser.enter("vera")
    for from_s, to_s in ((0, NOW_S), (NOW_S, FROM_S), (NOW_S, NOW_S), (-1, 5), ("a", 5), (0, 2**33)):
        answer = asyncio.run(browser.ask("GET", f"/api/enterprises/E1/curves?from_s={from_s}&to_s={to_s}"))
        assert answer.status_code == 400, (from_s, to_s)
    assert asyncio.run(browser.ask("GET", "/api/enterprises/E9/curves?from_s=0&to_s=900")).status_code == 404


def test_a_gap_has_its_cause_and_is_asked_for_again(tmp_path: Path) -> None:
    """P-315: by number, of the log that it is in."""
    config = folder_of(tmp_path, SENDER)
    clock = watched(tmp_path)
    browser = Browser(console_of(config, tmp_path, Steady(), clock))
    browser.enter("olga")
    span = {"from_s": FROM_S, "to_s": NOW_S}
    shown = asked(browser, "GET", f"/api/terminals/T0001/gaps?from_s={FROM_S}&to_s={NOW_S}")
    missing = FROM_S + 900 * MISSING
    assert {(one["point"], one["from_s"], one["to_s"]) for one in shown["gaps"]} == {
        (number, missing, missing + 900) for number in (1, 2)
    }
    assert sum(one["due"] - one["received"] for one in shown["days"]) == 2
    assert asked(browser, "POST", "/api/terminals/T0001/backfill", span) == {"numbers": 1}
    (request,) = asked(browser, "GET", f"/api/terminals/T0001/gaps?from_s={FROM_S}&to_s={NOW_S}")["asked"]
    assert (request["first"], request["last"], request["outcome"], request["asked_by"]) == (
        MISSING,
        MISSING,
        "open",
        "operator",
    )


def test_a_refused_frame_is_explained_and_taken_once_its_terminal_is_admitted(tmp_path: Path) -> None:
    """P-315: no gateway runs, so the console does it; what comes of it is said."""
    config = folder_of(tmp_path, SENDER)
    refused = Quarantine(tmp_path / "data", config.quarantine)
    sealed = SENDER.frame([window(1, NOW_S - 900, readings_of((5000, 900), 1))])
    refused.add([Refused(NOW_S * 1000, "T0001", "wattline/up/T0001", "terminal", 0, len(sealed), sealed)])
    refused.close()
    browser = Browser(console_of(config, tmp_path, Steady(), StillClock(NOW_S + 60)))
    browser.enter("olga")
    (frame,) = asked(browser, "GET", "/api/quarantine")["frames"]
    assert (frame["reason"], frame["source"]) == ("terminal", "T0001")
    shown = asked(browser, "GET", f"/api/quarantine/{frame['id']}")
    assert (shown["data"], shown["explained"]["verdict"]) == (sealed.hex(), "ok")
    became = asked(browser, "POST", "/api/quarantine/orders", {"do": "replay", "ids": [frame["id"]]})
    assert (became["taken"], became["refused"], became["under_way"]) == (1, 0, False)
    assert asked(browser, "GET", "/api/quarantine")["frames"] == []


def test_who_orders_while_many_wait_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-315: the gateway does it all the same; nobody else's page waits for a thread."""
    config = folder_of(tmp_path, SENDER)
    browser = Browser(console_of(config, tmp_path, Steady(), StillClock()))
    browser.enter("olga")
    monkeypatch.setattr(quarantine, "_WAITING", threading.BoundedSemaphore(1))
    monkeypatch.setattr(quarantine, "LOOK_S", -1)  # a wait would throw
    with lock.held(tmp_path / "data"), quarantine._WAITING:
        became = asked(browser, "POST", "/api/quarantine/orders", {"do": "discard", "ids": [1]})
    assert became["under_way"]
    assert len(list((tmp_path / "data" / orders.FOLDER).glob("*.order"))) == 1


def test_a_revoked_terminal_counts_no_more_and_the_change_is_written_down(tmp_path: Path) -> None:
    """P-315, S-23."""
    config = folder_of(tmp_path, SENDER)
    browser = Browser(console_of(config, tmp_path, Steady(), StillClock()))
    browser.enter("ada")
    asked(browser, "POST", "/api/terminals/T0001/revocation", {})
    (terminal,) = asked(browser, "GET", "/api/terminals")["terminals"]
    assert terminal["revoked"]
    since = f"revoked = {datetime.fromtimestamp(NOW_S, UTC):%Y-%m-%dT%H:%M:%SZ}"
    assert since in (tmp_path / "terminals.toml").read_text(), "by the gateway's clock"
    change = asked(browser, "GET", "/api/audit")[0]
    assert (change["who"], change["action"], change["status"]) == ("ada", "POST /api/terminals/T0001/revocation", 200)
    again = asyncio.run(browser.ask("POST", "/api/terminals/T0001/revocation", {}))
    assert again.status_code == 409


def test_a_document_as_long_as_the_command_takes_is_read_by_the_console_too(tmp_path: Path) -> None:
    """P-357: whatever is in it, and nothing longer; the change is written down in short."""
    config = folder_of(tmp_path, SENDER)
    (tmp_path / "technicians.toml").write_text("")
    browser = Browser(console_of(config, tmp_path, Steady(), StillClock()))
    browser.enter("ada")
    body = {"note": '"' * 300_000}  # each is two characters as JSON, and three in a question
    long = signed.sign(commissioning.REPORT, body, "li.wei", Ed25519PrivateKey.generate())
    for text, status, code in (
        (long.decode()[: signed.BYTES_MAX], 409, "form"),
        ('"' * signed.BYTES_MAX, 409, "form"),
        ("x" * (signed.BYTES_MAX + 1), 400, "asked"),
        ('"' * (2 * signed.BYTES_MAX), 413, "body"),
    ):
        answer = asyncio.run(browser.ask("POST", "/api/admissions", {"text": text}))
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.json()
    other = asyncio.run(browser.ask("POST", "/api/quarantine/orders", {"do": "replay", "ids": [], "x": "x" * 70_000}))
    assert other.status_code == 413
    assert max(len(one["asked"]) for one in asked(browser, "GET", "/api/audit")) <= ASKED_CHARS_MAX
