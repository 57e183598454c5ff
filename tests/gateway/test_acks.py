"""Acks say exactly what became of each record, within the wire format's bounds."""

from hypothesis import given
from hypothesis import strategies as st

from cext.decoder import KeyState
from gateway import acks
from gateway.acks import Answered, Outcome
from gateway.registry import Registry, Terminal
from protocol import ack, mac
from tests.gateway.support import Sender

SENDER = Sender()
REGISTRY = Registry([Terminal("T0001", {1: SENDER.key}, {1: KeyState(SENDER.secret)}, {})])

outcomes = st.lists(st.builds(Outcome, st.integers(0, 300), st.integers(0, 3)), max_size=200)


def opened(answered: list[Answered], registry: Registry = REGISTRY) -> list[ack.Ack]:
    return [SENDER.open_ack(data) for _, data in acks.build(answered, registry, lambda: 1234)]


@given(outcomes)
def test_the_acks_of_a_batch_say_of_each_record_what_became_of_it(found: list[Outcome]) -> None:
    """FR-34: at most 64 ranges of each kind in an ack, ascending, not overlapping; `open_ack` checks that."""
    answers = opened([Answered("T0001", 1, 7, 1, 5, found)])
    durable = {seq for one in answers for first, last in one.durable for seq in range(first, last + 1)}
    refused = {seq for one in answers for first, last, _ in one.refused for seq in range(first, last + 1)}
    assert durable == {one.seq for one in found if one.reason == 0}
    assert refused == {one.seq for one in found if one.reason}
    reasons = {(one.seq, one.reason) for one in found}
    for one in answers:
        assert all((seq, reason) in reasons for first, last, reason in one.refused for seq in range(first, last + 1))


def test_one_ack_a_terminal_and_epoch_echoes_its_newest_frame() -> None:
    """FR-36."""
    answered = [
        Answered("T0001", 1, 7, 2, 900, [Outcome(3, 0)]),
        Answered("T0001", 1, 7, 1, 9999, [Outcome(4, 0)]),
        Answered("T0001", 1, 8, 2, 950, [Outcome(1, ack.REFUSED_CONTENT)]),
    ]
    one, other = opened(answered)
    assert (one.epoch, one.durable, one.echo, one.time_ms) == (7, [(3, 4)], (2, 900), 1234)
    assert (other.epoch, other.refused, other.echo) == (8, [(1, 1, ack.REFUSED_CONTENT)], (2, 950))


def test_an_ack_is_sealed_with_the_key_that_the_terminal_used() -> None:
    second = mac.Key(b"n" * 32, 2)
    registry = Registry([Terminal("T0001", {1: SENDER.key, 2: second}, {}, {})])
    ((_, data),) = acks.build([Answered("T0001", 2, 7, 1, 5, [Outcome(1, 0)])], registry, lambda: 0)
    assert ack.open_ack(data, "T0001", {2: second}).generation == 2


def test_a_terminal_revoked_meanwhile_gets_no_ack() -> None:
    assert opened([Answered("T0001", 1, 7, 1, 5, [Outcome(1, 0)])], Registry()) == []
