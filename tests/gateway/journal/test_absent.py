"""What the writer knows of numbers that did not come: as a set of numbers would."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.config import VerifyConfig
from gateway.journal.journal import Journal
from protocol.limits import UINT32_MAX
from tests.gateway.support import Sender, accept, commit, event

EPOCH = 7
numbers = st.lists(st.integers(0, 40) | st.sampled_from([UINT32_MAX - 1, UINT32_MAX]), min_size=1, max_size=30)


def ranges_of(found: set[int]) -> list[tuple[int, int]]:
    """The same numbers as ranges, the highest first."""
    starts = sorted((one for one in found if one - 1 not in found), reverse=True)
    return [(start, next(end for end in range(start, UINT32_MAX + 1) if end + 1 not in found)) for start in starts]


@given(numbers, st.integers(0, 45), st.integers(0, 45), st.integers(1, 50), st.booleans())
def test_absent_numbers_are_those_that_did_not_come(
    came: list[int], first: int, last: int, most: int, again: bool
) -> None:
    sender = Sender()
    with tempfile.TemporaryDirectory() as name:
        journal = Journal(Path(name), VerifyConfig())
        for seq in came:
            commit(journal, [accept(sender, sender.frame([event(seq, uptime_s=1)]))])
        if again:
            journal.close()  # what was remembered is read anew
        expected = ranges_of(set(range(first, last + 1)) - set(came))[:most]
        assert journal.absent("T0001", EPOCH, first, last, most) == expected
        absent = max(came) - len({seq for seq in came if seq}) if max(came) else 0
        assert journal.holes() == ([("T0001", EPOCH, absent, max(came))] if absent else [])
        journal.close()


def test_only_a_terminals_newest_log_is_listed(tmp_path: Path) -> None:
    sender = Sender()
    journal = Journal(tmp_path, VerifyConfig())
    assert (journal.newest_epoch("T0001"), journal.holes()) == (None, [])
    assert journal.absent("T0001", EPOCH, 1, 9, 64) == [(1, 9)]
    commit(journal, [accept(sender, sender.frame([event(5)]))])
    assert journal.absent("T0001", EPOCH, 1, 9, 64) == [(6, 9), (1, 4)]
    commit(journal, [accept(sender, sender.frame([event(3)], epoch=8))])
    assert journal.absent("T0001", EPOCH, 1, 9, 64) == [(6, 9), (1, 4)]
    assert (journal.newest_epoch("T0001"), journal.holes()) == (8, [("T0001", 8, 2, 3)])
    journal.close()
