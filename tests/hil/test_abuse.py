"""The campaign against the sinks: its account, its plan, and what was true of its windows."""

import socket
from collections import Counter
from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from hil.abuse.blame import Blame, Finding, answers, blame, verdict_of
from hil.abuse.campaign import abuses
from hil.abuse.load import POINTS, TERMINALS, truth_of
from hil.abuse.plan import plan
from hil.abuse.verdict import judge

NAMES = st.integers(0, 20)


@given(st.dictionaries(NAMES, st.integers()), st.dictionaries(NAMES, st.integers(0, 2)), st.data())
def test_what_is_missing_altered_doubled_or_nobodys_is_counted(
    expected: dict[int, int], again: dict[int, int], data: st.DataObject
) -> None:
    """P-235."""
    told = {name: data.draw(st.integers(0, 5)) for name in expected}
    wrong: list[tuple[Any, int]] = data.draw(st.lists(st.tuples(st.integers(21, 30), st.integers()), max_size=3))
    wrong += [(name, content + 1) for name, content in expected.items() if data.draw(st.booleans())]
    held = [(name, content) for name, content in expected.items() for _ in range(told[name])] + wrong
    account = judge(expected, data.draw(st.permutations(held)), again)
    assert account.lost == sum(count == 0 for count in told.values())
    assert account.delivered == len(expected) - account.lost
    assert account.duplicated == sum(max(0, count - 1 - again.get(name, 0)) for name, count in told.items())
    assert account.repeated == sum(max(0, min(count - 1, again.get(name, 0))) for name, count in told.items())
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


def test_what_was_told_again_by_order_excuses_no_other_record() -> None:
    """P-235: a refeed of one record is no excuse for a second copy of its neighbour."""
    expected = {"a": 1, "b": 2}
    account = judge(expected, [("a", 1), ("a", 1), ("b", 2), ("b", 2)], {"a": 1})
    assert (account.repeated, account.duplicated, account.is_clean) == (1, 1, False)
    assert account.findings == ["doubled: b came 2 times, 1 are explained"]


def test_whose_fault_it_is_is_asked_of_the_parts() -> None:
    """P-235: a sink that stays behind while its server and the way to it work is the product's failure."""
    assert blame(server_answers=True, link_answers=True) == "product"
    assert blame(server_answers=True, link_answers=False) == "cable"
    assert blame(server_answers=False, link_answers=True) == "bench"
    assert blame(server_answers=False, link_answers=False) == "bench"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert answers(port)
    assert not answers(port)
    assert answers(None)


def test_a_failure_of_the_bench_is_no_verdict_on_the_product() -> None:
    """P-235"""
    product, bench, cable = (Finding(one, "late") for one in get_args(Blame))
    assert verdict_of([], is_clean=True) == "pass"
    assert verdict_of([], is_clean=False) == "fail"
    assert verdict_of([product], is_clean=True) == "fail"
    assert verdict_of([product, bench], is_clean=True) == "void"
    assert verdict_of([cable], is_clean=False) == "void"
