"""Acks say exactly what became of each record, within the wire format's bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cext.decoder import KeyState, seal_payload
from cext.verify import OUTCOMES
from gateway import acks, decode
from gateway.registry import Senders, Terminal
from protocol import ack, down, limits, mac
from tests.gateway.ack_model import Outcome, split
from tests.gateway.support import CONFLICT, NEW, REFUSED, REPEATED, Sender, event, terminal_of
from tests.protocol import strategies as ours

SENDER = Sender()
REASONS = {NEW: 0, REPEATED: 0, CONFLICT: ack.REFUSED_CONFLICT, REFUSED: ack.REFUSED_CONTENT}

# the frames of a log: records' numbers, each with what became of it
logs = st.lists(
    st.lists(
        st.tuples(st.integers(0, 300) | st.integers(0, 2**32 - 1), st.sampled_from(list(REASONS))),
        min_size=1,
        max_size=64,
    ),
    min_size=1,
    max_size=6,
)


def sealed(
    frames: list[tuple[Sender, int, list[tuple[int, str]]]], time_ms: int = 1234, boot_ids: list[int] | None = None
) -> list[tuple[str, bytes]]:
    """The acks for (sender, epoch, records with their outcomes)."""
    data, terminals, outcomes = [], [], []
    of_sender = {sender.name: terminal_of(sender, {}) for sender, _, _ in frames}
    for number, (sender, epoch, records) in enumerate(frames):
        sender.boot_id = boot_ids[number] if boot_ids else 1
        data.append(sender.frame([event(seq, uptime_s=1) for seq, _ in records], epoch))
        terminals.append(of_sender[sender.name])
        outcomes += [OUTCOMES.index(outcome) for _, outcome in records]
    senders = Senders.of(terminals)
    columns = decode.decode_batch(data, senders)
    assert not decode.refusals(columns)
    return acks.build(columns, bytes(outcomes), senders, time_ms)


@given(logs, st.integers(0, limits.TIME_MS_MAX), st.sampled_from([1, 24, 2**32 - 1]), st.data())
def test_the_acks_of_a_batch_say_of_each_record_what_became_of_it(
    found: list[list[tuple[int, str]]], time_ms: int, epoch: int, data: st.DataObject
) -> None:
    """FR-34: at most 64 ranges of each kind in an ack, ascending, not overlapping; `open_ack` checks that.

    P-175, FR-36: those of one start of the terminal say nothing of what another sent.
    """
    sender = Sender()
    starts = data.draw(st.lists(st.sampled_from([0, 24, 2**32 - 1]), min_size=len(found), max_size=len(found)))
    told = sealed([(sender, epoch, one) for one in found], time_ms, starts)
    answers = [sender.open_ack(one) for _, one in told]
    assert {(one.epoch, one.time_ms, one.generation) for one in answers} == {(epoch, time_ms, 1)}
    for start in set(starts):
        numbers = [number for number, one in enumerate(starts) if one == start]
        outcomes = [Outcome(seq, REASONS[outcome]) for number in numbers for seq, outcome in found[number]]
        of_start = [one for one in answers if one.echo[0] == start]
        assert [(one.durable, one.refused) for one in of_start] == list(split(outcomes, limits.ACK_RANGES_MAX))
        assert {one.echo[1] for one in of_start} == {1001 + numbers[-1]}, "its newest frame"
    assert {one.echo[0] for one in answers} == set(starts)


def test_one_ack_a_terminal_and_epoch_echoes_its_newest_frame() -> None:
    """FR-36."""
    one, other = Sender(), Sender("B", b"b" * 32)
    frames = [(one, 7, [(3, NEW)]), (one, 7, [(4, NEW)]), (one, 8, [(1, REFUSED)]), (other, 7, [(3, REPEATED)])]
    found = sealed(frames, boot_ids=[2, 2, 2, 1])
    assert sorted(name for name, _ in found) == ["B", "T0001", "T0001"]
    of_log = {answer.epoch: answer for name, data in found if name == "T0001" for answer in [one.open_ack(data)]}
    assert (of_log[7].durable, of_log[7].refused, of_log[7].echo) == ([(3, 4)], [], (2, 1002))
    assert (of_log[8].durable, of_log[8].refused) == ([], [(1, 1, ack.REFUSED_CONTENT)])
    assert of_log[8].echo == (2, 1003)


def test_an_ack_is_sealed_with_the_key_that_the_terminal_used() -> None:
    second = Sender(secret=b"n" * 32, generation=200)
    both = Terminal("T0001", {1: KeyState(SENDER.secret), 200: KeyState(second.secret)}, {})
    columns = decode.decode_batch([second.frame([event(1)])], Senders.of([both]))
    ((_, data),) = acks.build(columns, bytes([OUTCOMES.index(NEW)]), Senders.of([both]), 0)
    assert down.open_down(data, "T0001", {200: mac.Key(b"n" * 32, 200)}).generation == 200


def test_frames_that_were_not_taken_get_no_ack() -> None:
    senders, nobody = Senders.of([terminal_of(SENDER, {})] * 2), Senders.of([])
    columns = decode.decode_batch([SENDER.frame([event(1)])[:-1], b""], senders)
    assert acks.build(columns, b"", senders, 0) == []
    assert acks.build(decode.decode_batch([], nobody), b"", nobody, 0) == []


def test_every_length_of_a_terminals_name_is_bound_as_the_protocol_binds_it() -> None:
    for size in (1, 23, 24, limits.TERMINAL_CHARS_MAX):
        sender = Sender("x" * size)
        ((name, data),) = sealed([(sender, 7, [(1, NEW)])])
        assert (name, sender.open_ack(data).durable) == (sender.name, [(1, 1)])


@given(
    secret=st.binary(min_size=32, max_size=32), generation=st.integers(1, 255), terminal=ours.TERMINALS,
    payload=st.binary(min_size=1, max_size=400) | st.integers(1, 4049).map(bytes),
)  # fmt: skip
def test_any_payload_is_sealed_as_the_protocol_seals_it(
    secret: bytes, generation: int, terminal: str, payload: bytes
) -> None:
    """FR-13 FR-35: requests and configurations (protocol/down.py) are sealed by the compiled sealer."""
    sealed_here = seal_payload(KeyState(secret), generation, terminal, payload)
    assert sealed_here == mac.seal(mac.Key(secret, generation), mac.external_aad(terminal, limits.DOWN, 1), payload)


@pytest.mark.parametrize(("generation", "size"), [(0, 5), (256, 5), (1, 0), (1, 4050)])
def test_what_no_frame_can_be_is_not_sealed(generation: int, size: int) -> None:
    with pytest.raises(ValueError, match="1 to"):
        seal_payload(KeyState(bytes(32)), generation, "T0001", bytes(size))
