"""What a terminal told last does not depend on the order in which it came."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.watch.came import NO_TIME, WINDOW_CODE, Came
from gateway.watch.heard import Heard, after
from protocol import record

times = st.integers(1, 50)
windows = times.map(lambda at: Came("T1", at + 900, at, at + 900, at % 7, WINDOW_CODE))
healths = times.map(lambda at: Came("T1", at + 5, at, at, 1, record.HEALTH, 0, (0, 0, at)))
starts = times.map(lambda at: Came("T1", at + 5, at, at, 1, record.BOOT, 0, (1, 1_000_000 + at)))
untimed = times.map(lambda at: Came("T1", at, at, at, 0, NO_TIME))
all_kinds = st.lists(st.one_of(windows, healths, starts, untimed), min_size=1, max_size=12)


def told(some: list[Came]) -> Heard | None:
    found = None
    for one in some:
        found = after(found, one)
    return found


@given(all_kinds, st.randoms())
def test_what_a_terminal_told_last_is_the_newest_of_each_kind(some: list[Came], rnd: object) -> None:
    """P-253."""
    shuffled = list(some)
    rnd.shuffle(shuffled)  # type: ignore[attr-defined]
    found = told(shuffled)
    assert found == told(some)
    assert found is not None
    assert found.at_s == max(one.received_s for one in some)
    newest = max((one.from_s for one in some if one.code == WINDOW_CODE), default=None)
    assert found.window_s == newest
    assert found.firmware == max((one.values[1] for one in some if one.code == record.BOOT), default=None)
