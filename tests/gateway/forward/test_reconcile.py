"""Each interval that was due on a day: a sink has it, or it is listed with its cause."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway import cli_reconcile
from gateway.cli import app
from gateway.forward import acknowledged, outbox, refeeds
from gateway.forward.acknowledged import Cell
from tests.gateway.forward.platform_double import PlatformDouble
from tests.gateway.forward.stations import HEAD_2017, ITEMS_2017, Station, mapping
from tests.gateway.support import NOW_S, Sender, StillClock, event, window, write_config

DAY_S = 86400
BEGIN_S = NOW_S - 8 * 3600 - DAY_S  # of 2026-02-28 in Beijing
SINKS = '[[sink]]\nname = "s"\nkind = "hj212"\nhost = "127.0.0.1"\nport = 9\nmapping = "platform.toml"\n'


class Site(Station):
    """A terminal's day, a platform, and the command that reconciles them."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        write_config(folder, 1883, [Sender()], SINKS)
        self.config_file = folder / "gateway.toml"
        rules = mapping(folder, "restarts = false\n" + HEAD_2017 + ITEMS_2017)
        (folder / "data").mkdir()
        super().__init__(folder / "data", rules, PlatformDouble())
        patch.setattr(cli_reconcile, "SystemClock", lambda: StillClock(NOW_S))

    def reconcile(self, *more: str) -> tuple[int, list[dict[str, Any]]]:
        command = ["reconcile", "--config", str(self.config_file), "s", "--day", "2026-02-28", "--json", *more]
        answer = CliRunner().invoke(app, command)
        assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.output
        return answer.exit_code, [json.loads(line) for line in answer.stdout.splitlines()]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(tmp_path, monkeypatch)


def quarters(first: int, last: int, **values: Any) -> list[bytes]:
    """Windows of these quarters of the day."""
    return [window(n, BEGIN_S + 900 * n, end_uptime_s=900 * (n + 1), **values) for n in range(first, last)]


def test_a_platform_that_answers_late_twice_and_never_ends_with_a_clean_reconciliation(site: Site) -> None:
    """R-19: a day's intervals, while it misbehaves for an hour of its own time."""
    chance = random.Random(19)
    site.platform.answers = False
    site.commit(quarters(0, 8))
    site.steps(3)
    code, rows = site.reconcile()
    assert (code, rows[0]["state"], rows[0]["intervals"]) == (1, "under_way", 8)
    for quarter in range(8, 96, 8):
        site.commit(quarters(quarter, quarter + 8))
        for _ in range(30):
            site.platform.answers = chance.random() < 0.6
            site.platform.copies = chance.choice([1, 1, 2])
            site.platform.delay_ms = chance.choice([0, 0, 3000, 12_000, 45_000])
            site.platform.now_ms += chance.choice([1000, 10_000, 24_000])
            site.steps(1)
    assert site.platform.now_ms > 3_600_000
    site.platform.answers, site.platform.copies, site.platform.delay_ms = True, 1, 0
    for _ in range(80):
        site.platform.now_ms += 60_000
        site.steps(8)
    assert site.reconcile() == (
        0,
        [{"kind": "total", "sink": "s", "day": "2026-02-28", "due": 96, "acknowledged": 96}],
    )
    assert site.platform.ledger.counts.conflicts == site.platform.ledger.counts.duplicates == 0
    site.close()


def test_what_is_not_acknowledged_is_listed_with_its_cause(site: Site) -> None:
    """R-19: missing, withheld, dead, under way, waiting."""
    site.commit(quarters(0, 40))
    site.steps(40)
    site.commit(quarters(40, 44, readings=[]))  # nothing in them for the platform
    site.steps(10)
    site.platform.answers = False
    site.commit(quarters(50, 52))
    site.steps(3)
    site.platform.is_there = False
    site.commit(quarters(52, 96))
    code, rows = site.reconcile()
    states = [(row["state"], row["intervals"], row.get("reason")) for row in rows[:-1]]
    assert states[0] == ("withheld", 4, "nothing_mapped")
    assert states[1][:2] == ("link_down", 6)
    assert states[2:4] == [("under_way", 2, None), ("waiting", 44, None)]
    assert (code, rows[-1]["due"], rows[-1]["acknowledged"]) == (1, 96, 40)
    assert rows[0]["from"] == "2026-02-28T02:00:00Z"
    site.close()


def test_a_dead_letter_is_listed_until_it_is_taken(site: Site, tmp_path: Path) -> None:
    site.mapping.stations.clear()
    site.restart()
    site.commit(quarters(0, 2))
    site.steps(3)
    code, rows = site.reconcile()
    assert (code, rows[0]["state"], rows[0]["reason"], rows[0]["intervals"]) == (1, "dead", "unmapped", 2)
    site.mapping = mapping(tmp_path, "restarts = false\n" + HEAD_2017 + ITEMS_2017)
    site.restart()
    refeeds.order_dead(site.folder, "s")
    site.steps(10)
    assert site.reconcile()[1][0]["state"] != "dead"
    assert site.reconcile()[1][-1]["acknowledged"] == 2
    site.close()


def test_events_are_no_intervals_and_what_a_sink_has_is_forgotten_after_a_year(site: Site) -> None:
    site.commit([event(1), *quarters(2, 3)])
    site.steps(5)
    file = outbox.file_of(site.folder, "s")
    everything = acknowledged.read(file, 0, 2 * NOW_S)
    assert everything == {Cell("T0001", BEGIN_S + 1800): ("acknowledged", "")}
    site.outbox.mark((NOW_S + 500 * DAY_S) * 1000)
    assert acknowledged.read(file, 0, 2 * NOW_S) == {}
    site.close()


def test_an_unknown_sink_is_named(site: Site) -> None:
    answer = CliRunner().invoke(app, ["reconcile", "--config", str(site.config_file), "t"])
    assert (answer.exit_code, "allowed" in answer.stderr) == (1, True)
    site.close()
