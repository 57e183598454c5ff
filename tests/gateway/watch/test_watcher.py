"""The watch over a real journal: in whatever order and steps windows come, the same alarms; and its commands."""

import json
import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config import VerifyConfig
from gateway.journal.journal import Journal
from gateway.watch.alarms import WITHDRAWN
from gateway.watch.screen import SETTLE_S
from gateway.watch.slots import SLOT_S
from gateway.watch.store import FILE, Store
from gateway.watch.watcher import Watcher
from tests.gateway.support import NOW_S, StillClock
from tests.gateway.watch.plant import configured
from tests.gateway.watch.running import COUNT, FROM_S, SENDER, powers_w, readings_of, send, watching


def found_in(store: Store) -> list[tuple[str, str, int, int]]:
    return sorted(
        (one.subject, one.kind, one.from_s, one.to_s) for one in store.rows(limit=9999) if one.state != WITHDRAWN
    )


def looked(watcher: Watcher) -> None:
    while watcher.look()[1]:
        pass
    watcher.close()


@pytest.mark.parametrize("seed", range(6))
def test_in_whatever_order_and_steps_windows_come_the_alarms_are_the_same(tmp_path: Path, seed: int) -> None:
    """P-250: as one look at all of it finds them; the watch is killed at times, late windows withdraw what they
    disprove, and stretches of the plant are frozen, or show no current on a phase.
    """
    rnd, clock = random.Random(seed), StillClock(NOW_S)
    configured(tmp_path, SENDER)
    journal, store = Journal(tmp_path / "data", VerifyConfig()), Store(tmp_path / "data")
    watcher = watching(tmp_path, store, clock)
    frozen = rnd.randrange(COUNT)
    for seq, number in enumerate(_order(rnd)):
        still = frozen if frozen <= number < frozen + rnd.choice([4, 5]) else number
        send(journal, seq, number, readings_of(powers_w(still), number), clock.now_s)
        clock.now_s += rnd.choice([0, 60, 900, 900, 5000])
        if rnd.random() < 0.6:
            watcher.look()
        if rnd.random() < 0.1:
            watcher.close()
            watcher = watching(tmp_path, store, clock)
    clock.now_s += SETTLE_S + SLOT_S - clock.now_s % SLOT_S  # an open silence is told each quarter of an hour
    looked(watcher)
    found = found_in(store)
    store.close()
    (tmp_path / "data" / FILE).unlink()
    whole = Store(tmp_path / "data")
    looked(watching(tmp_path, whole, clock))
    assert found == found_in(whole), f"seed {seed}"
    assert {"silent", "late", "register"} & {kind for _, kind, _, _ in found}, f"seed {seed}"
    whole.close()
    journal.close()


def _order(rnd: random.Random) -> list[int]:
    """In order, or nearly, or in none."""
    reach = rnd.choice([1, 3, COUNT])
    return sorted(range(COUNT), key=lambda number: number + rnd.random() * reach)


def test_commands_find_show_and_close(tmp_path: Path) -> None:
    """P-250."""
    config = configured(tmp_path, SENDER)
    journal = Journal(tmp_path / "data", VerifyConfig())
    for number in range(COUNT):
        send(journal, number, number, readings_of(powers_w(number), number), FROM_S + 900 * (number + 1))
    journal.close()

    def said(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, [words[0], *words[1:], "--config", str(config)])
        return done.exit_code, done.stdout

    assert said("watch", "--once", "--json") == (0, '{"new": 4}\n')
    assert said("watch", "--once", "--json") == (0, "")
    rows = [json.loads(line) for line in said("alarms", "list", "--json")[1].splitlines()]
    off = [one for one in rows if one["subject"] == "furnace 1"]
    assert [(one["kind"], one["state"]) for one in off] == [("treatment_off", "open")] * 2
    assert {one["kind"] for one in rows if one not in off} == {"silent", "register"}
    named = str(off[0]["id"])
    assert said("alarms", "step", named, "dispatched", "--note", "督办单 031", "--who", "wang")[0] == 0
    shown = json.loads(said("alarms", "show", named, "--json")[1])
    assert (shown["state"], shown["steps"][0]["note"]) == ("dispatched", "督办单 031")
    assert said("alarms", "step", named, "acknowledged")[0] == 1
    assert said("alarms", "show", "9")[0] == 1
    assert "生产开、治污停" in said("alarms", "list")[1]
