"""The watch over a real journal: in whatever order and steps windows come, the same alarms; and its commands."""

import json
import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config import VerifyConfig
from gateway.journal.journal import Journal
from gateway.registry import Registry
from gateway.watch import enterprises
from gateway.watch.alarms import WITHDRAWN
from gateway.watch.store import Store
from gateway.watch.watcher import SETTLE_S, Watcher
from tests.gateway.support import NOW_S, Sender, StillClock, accept, commit, reading, terminal_of, window
from tests.gateway.watch.plant import POINTS, configured

SENDER = Sender()
COUNT = 60
FROM_S = NOW_S - COUNT * 900


def powers_w(number: int) -> tuple[int, int]:
    """Production all the time; treatment off for two hours, and again for one."""
    return 5000, 20 if 20 <= number < 28 or 40 <= number < 44 else 900


def send(journal: Journal, number: int, at_s: int) -> None:
    shown = [reading(p_mean_w=one, p_min_w=one, p_max_w=one) for one in powers_w(number)]
    commit(journal, [accept(SENDER, SENDER.frame([window(number, FROM_S + 900 * number, shown)]), POINTS, at_s)])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_in_whatever_order_and_steps_windows_come_the_alarms_are_the_same(tmp_path: Path, seed: int) -> None:
    """P-250: the watch is killed after each look, and windows that come late withdraw what they disprove."""
    rnd, clock = random.Random(seed), StillClock(FROM_S)
    config = configured(tmp_path, SENDER)
    known = enterprises.load(tmp_path / "enterprises.toml", Registry([terminal_of(SENDER, POINTS)]))
    journal = Journal(tmp_path / "data", VerifyConfig())
    numbers = list(range(COUNT)) if seed == 1 else rnd.sample(range(COUNT), COUNT)
    clock.now_s = NOW_S
    for number in numbers:
        send(journal, number, clock.now_s)
        clock.now_s += rnd.choice([0, 60, 900])
        if rnd.random() < 0.3:
            store = Store(tmp_path / "data")
            Watcher(tmp_path / "data", store, clock, 86_400).look(known)
            store.close()
    clock.now_s += SETTLE_S + 1
    store = Store(tmp_path / "data")
    watcher = Watcher(tmp_path / "data", store, clock, 86_400)
    while watcher.look(known)[1]:
        pass
    found = sorted((one.kind, one.from_s, one.to_s) for one in store.rows() if one.state != WITHDRAWN)
    expected = [(FROM_S + 900 * a, FROM_S + 900 * b) for a, b in [(20, 28), (40, 44)]]
    assert found == [("treatment_off", *one) for one in expected], f"seed {seed}"
    store.close()
    journal.close()
    listed = CliRunner().invoke(app, ["alarms", "list", "--config", str(config), "--state", "open", "--json"])
    assert len(listed.stdout.splitlines()) == len(expected)


def test_commands_find_show_and_close(tmp_path: Path) -> None:
    """P-250."""
    config = configured(tmp_path, SENDER)
    journal = Journal(tmp_path / "data", VerifyConfig())
    for number in range(COUNT):
        send(journal, number, FROM_S + 900 * (number + 1))
    journal.close()

    def said(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, [words[0], *words[1:], "--config", str(config)])
        return done.exit_code, done.stdout

    assert said("watch", "--once", "--json") == (0, '{"new": 2}\n')
    assert said("watch", "--once", "--json") == (0, "")
    rows = [json.loads(line) for line in said("alarms", "list", "--json")[1].splitlines()]
    assert [(one["kind"], one["state"]) for one in rows] == [("treatment_off", "open")] * 2
    assert said("alarms", "step", "1", "dispatched", "--note", "督办单 031", "--who", "wang")[0] == 0
    shown = json.loads(said("alarms", "show", "1", "--json")[1])
    assert (shown["state"], shown["steps"][0]["note"]) == ("dispatched", "督办单 031")
    assert said("alarms", "step", "1", "acknowledged")[0] == 1
    assert said("alarms", "show", "9")[0] == 1
    assert "生产开、治污停" in said("alarms", "list")[1]
