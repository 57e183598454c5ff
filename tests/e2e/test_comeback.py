"""Terminals that come back at once with a backlog each: the newest first, all of it once. How fast: `make bench`."""

import pytest

from hil.benchmarks.cases.comeback import FLIGHTS_MOST, Scale, check, come_back
from hil.benchmarks.crowd.stand import stand
from hil.benchmarks.deployed import Admitted
from hil.benchmarks.ingest.load import names

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_the_newest_windows_are_in_before_the_backlog_and_everything_is_in_once() -> None:
    """R-14: 60 terminals with 250 windows each, of 1,000 with 672 that the benchmark `comeback` has."""
    scale = Scale(60, 250)
    with stand([Admitted(name) for name in names(scale.terminals)]) as pair:
        seen, terminals = come_back(pair, scale, seed=14)
        check(pair, scale)
    assert seen.closed > seen.began
    for one in terminals:
        order = sorted(one.acked_s, key=lambda frame: one.acked_s[frame])
        first = one.acked_s[order[FLIGHTS_MOST - 1]]
        assert one.acked_s[scale.newest] <= first, "the newest window waited for the backlog"
        later = [frame for frame in scale.backlog() if one.sent_s[frame] > one.sent_s[scale.meanwhile]]
        assert all(one.acked_s[frame] >= one.acked_s[scale.meanwhile] for frame in later)
        assert len(order) == len(scale.backlog()) + 2
