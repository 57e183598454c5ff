"""What a terminal's log says of its numbers, in the journal: the ledger takes no declared skip for a loss."""

from pathlib import Path

import pytest

from gateway.config import VerifyConfig
from gateway.gaps.ledger import states
from gateway.gaps.source import Source
from gateway.gaps.words import CELL_S, LOG_LOST, PRESENT, TERMINAL_OFF
from gateway.journal.journal import Journal
from gateway.registry import Terminal
from protocol.record import LOG_PUT_BACK, LOG_RENUMBERED, NUMBERS_SKIPPED
from tests.gateway.support import NOW_S, POINT, Sender, accept, commit, event, window

SENDER = Sender()
TERMINAL = Terminal("T0001", {}, {1: POINT}, commissioned_s=NOW_S)
BACK = 8  # the cell in which it is on again; it was off from 4 on
CELLS = 12


def log_event(seq: int, code: int, *values: int) -> bytes:
    return event(seq, NOW_S + BACK * CELL_S + 5, boot=2, uptime_s=5, code=code, values=values)


def before(seq: int, cells: range) -> list[bytes]:
    """Windows of the first start, numbered from `seq`."""
    return [
        window(seq + n, NOW_S + cell * CELL_S, boot=1, end_uptime_s=(cell + 1) * CELL_S) for n, cell in enumerate(cells)
    ]


def after(seq: int) -> list[bytes]:
    """Windows of the second start."""
    return [
        window(seq + n, NOW_S + cell * CELL_S, boot=2, end_uptime_s=(n + 1) * CELL_S)
        for n, cell in enumerate(range(BACK, CELLS))
    ]


@pytest.mark.parametrize(
    ("first", "second", "epoch", "lost"),
    [
        (before(1, range(4)), [log_event(6, NUMBERS_SKIPPED, 5, 5), *after(7)], 7, 0),
        (before(1, range(2)), [log_event(5, LOG_PUT_BACK, 3, 4), *after(6)], 7, 2),
        (before(1, range(4)), [log_event(5, LOG_PUT_BACK, 3, 4), *after(6)], 7, 0),
        (before(1, range(4)), [log_event(5, LOG_RENUMBERED, 7, 5), *after(6)], 8, 0),
        (before(1, range(4)), [log_event(5, LOG_PUT_BACK, 1, 4), *after(6)], 8, 0),
    ],
    ids=["skipped", "put back", "put back, all of it sent before", "renumbered", "erased"],
)
def test_declared_numbers_are_no_loss_and_lost_ones_are_told(
    tmp_path: Path, first: list[bytes], second: list[bytes], epoch: int, lost: int
) -> None:
    """P-82: of the windows before, those that never came are lost; while it was off it was off."""
    journal = Journal(tmp_path, VerifyConfig())
    now_s = NOW_S + CELLS * CELL_S
    for raw in first:
        commit(journal, [accept(SENDER, SENDER.frame([raw], 7), now_s=now_s)])
    for raw in second:
        commit(journal, [accept(SENDER, SENDER.frame([raw], epoch), now_s=now_s)])
    journal.close()
    source = Source(tmp_path, CELL_S)
    span = source.span(NOW_S, now_s, now_s + 2 * CELL_S)
    row = source.terminals()["T0001"]
    facts = source.facts(row, span)
    due = source.due(TERMINAL, row, span, facts)
    found = [
        state for _, [(_, state, _)] in states(due, facts.cells, source.cause_of("T0001", row, span, facts), span.now_s)
    ]
    source.close()
    there = 4 - lost
    expected = ["present"] * there + [LOG_LOST] * lost + [TERMINAL_OFF] * 4 + ["present"] * 4
    if epoch == 8 and second[0] == log_event(5, LOG_PUT_BACK, 1, 4):
        expected[4:8] = [LOG_LOST] * 4  # a log that began anew can't say that it was off
    assert [PRESENT if state in {"present", "late"} else state for state in found] == expected
