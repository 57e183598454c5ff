"""A terminal that was commissioned and of which nothing ever came is silent, like one that was heard."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from gateway.config import VerifyConfig
from gateway.journal.journal import Journal
from gateway.registry import Registry
from gateway.watch.rules import Rules, Silent
from gateway.watch.screen import SETTLE_S
from gateway.watch.slots import SLOT_S
from gateway.watch.store import Store
from gateway.watch.watcher import Watched, Watcher
from tests.gateway.support import NOW_S, Sender, StillClock, accept, commit, reading, terminal_of, window
from tests.gateway.watch.plant import POINTS

SENDER = Sender()
DUE_S = NOW_S + 100
LIMIT_S = Silent().after_min * 60


def test_a_terminal_that_was_commissioned_and_never_heard_is_silent(tmp_path: Path) -> None:
    """P-363: from when it was commissioned until it is heard; one that was heard before, or is not due, is not."""
    registry = Registry(
        [
            replace(terminal_of(one, POINTS), commissioned_s=due_s)
            for one, due_s in ((SENDER, DUE_S), (Sender("T0002"), None), (Sender("T0003"), NOW_S + 9 * SLOT_S))
        ]
    )
    journal, store, clock = Journal(tmp_path, VerifyConfig()), Store(tmp_path), StillClock(DUE_S + LIMIT_S)

    def silences() -> list[tuple[str, str, int, int]]:
        with closing(Watcher(tmp_path, store, clock, Watched(registry, [], Rules(), 86_400), _off)) as watcher:
            watcher.look()
        return [(row.subject, row.kind, row.from_s, row.to_s) for row in store.rows()]

    assert silences() == []
    clock.now_s += 1
    assert silences() == [(SENDER.name, "silent", DUE_S, clock.now_s)]
    clock.now_s += SLOT_S
    assert silences() == [(SENDER.name, "silent", DUE_S, clock.now_s)]
    heard_s, sealed = clock.now_s, SENDER.frame([window(0, NOW_S + 3 * SLOT_S, [reading(), reading(p_mean_w=4001)])])
    commit(journal, [accept(SENDER, sealed, POINTS, heard_s)])
    clock.now_s += SETTLE_S + 1
    assert silences() == [(SENDER.name, "silent", DUE_S, heard_s)]
    store.close()
    journal.close()


def _off(rule: str, error: Exception) -> None:
    raise AssertionError(rule) from error
