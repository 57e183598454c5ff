"""The campaign against the sinks: its account, its plan, and what was true of its windows."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hil.abuse.campaign import abuses
from hil.abuse.load import POINTS, TERMINALS, truth_of
from hil.abuse.plan import plan
from hil.abuse.verdict import judge

NAMES = st.integers(0, 20)


@given(st.dictionaries(NAMES, st.integers()), st.integers(1, 3), st.data())
def test_what_is_missing_altered_doubled_or_nobodys_is_counted(
    expected: dict[int, int], copies: int, data: st.DataObject
) -> None:
    """P-235."""
    told = {name: data.draw(st.integers(0, 5)) for name in expected}
    wrong: list[tuple[Any, int]] = data.draw(st.lists(st.tuples(st.integers(21, 30), st.integers()), max_size=3))
    wrong += [(name, content + 1) for name, content in expected.items() if data.draw(st.booleans())]
    held = [(name, content) for name, content in expected.items() for _ in range(told[name])] + wrong
    account = judge(expected, data.draw(st.permutations(held)), copies)
    assert account.lost == sum(count == 0 for count in told.values())
    assert account.delivered == len(expected) - account.lost
    assert account.duplicated == sum(max(0, count - copies) for count in told.values())
    assert account.repeated == sum(max(0, min(count, copies) - 1) for count in told.values())
    assert account.invented == len(wrong)
    assert account.is_clean == (not (account.lost or account.duplicated or wrong))
    assert bool(account.findings) == (not account.is_clean)


@given(st.integers(0, 2**31))
def test_a_plan_has_every_abuse_of_every_sink_once_and_each_sink_early(seed: int) -> None:
    """P-235."""
    turns = plan(seed, abuses())
    assert Counter((one.sink, one.abuse) for one in turns) == Counter(
        (sink, abuse) for sink, of_sink in abuses().items() for abuse in of_sink
    )
    assert {one.sink for one in turns[: len(abuses())]} == set(abuses())
    assert plan(seed, abuses(), 3) == turns[:3]


def test_no_two_windows_are_alike() -> None:
    """Else a window in another's place would not be seen."""
    seen = {(name, seq): truth_of(name, seq, 900) for name in TERMINALS for seq in range(50)}
    assert len({one.readings for one in seen.values()}) == len(seen)
    assert {len(one.readings) for one in seen.values()} == {POINTS}
