"""The sending side of HJ 212: stop-and-wait, resends, back-off; and over TCP against the platform emulator."""

import pathlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.forward.hj212.session import (
    QUEUE_PACKETS_MAX,
    REPLIES_MAX,
    Hj212Session,
    LinkSettings,
    Partner,
    Reaction,
)
from gateway.hj212.answers import data_answer, notice_answer, request_answer, result
from gateway.hj212.packet import Packet, Segment, build, frame
from gateway.hj212.parse import parse
from tests.gateway.forward.packets import MN, packet

SETTINGS = LinkSettings(answer_timeout_ms=1000, resends=3, reconnect_min_ms=100, reconnect_max_ms=1600)


def answer(sent: Packet, **change: str) -> bytes:
    segment = parse(sent.data).segment
    assert segment is not None
    data = data_answer(segment).data
    for old, new in change.items():
        data = data.replace(f"{old}=".encode() + getattr(segment, old.lower()).encode(), f"{old}={new}".encode())
    return reframed(data)


def reframed(data: bytes) -> bytes:
    return frame(data[6 : data.rindex(b"&&") + 2])


def open_session(packets: int = 3) -> Hj212Session:
    session = Hj212Session(SETTINGS, lambda: 0.5)
    session.submit([packet(number) for number in range(packets)])
    assert session.wants_connection(0)
    session.on_connected()
    return session


def test_one_packet_at_a_time_and_the_next_with_its_answer() -> None:
    session = open_session()
    for number in range(3):
        assert session.next_outgoing(0) == packet(number).data
        assert session.next_outgoing(0) is None
        session.on_bytes(answer(packet(number)))
        assert session.take_confirmed() == [packet(number).qn]
    assert (session.pending, session.next_outgoing(0), session.take_confirmed()) == (0, None, [])


def test_no_answer_is_sent_again_with_the_same_qn_then_given_up() -> None:
    session = open_session()
    for send in range(4):
        now_ms = send * 1000
        assert session.next_outgoing(now_ms) == packet(0).data
        session.on_tick(now_ms + 999)
        assert session.next_outgoing(now_ms + 999) is None
        session.on_tick(now_ms + 1000)
    assert session.wants_close
    assert session.next_outgoing(4000) is None
    session.on_disconnected(4000)
    assert (session.pending, session.counts.resent, session.counts.gave_up) == (3, 3, 1)
    assert not session.wants_connection(4000)
    assert session.wants_connection(4100)
    session.on_connected()
    assert session.next_outgoing(4100) == packet(0).data


def test_connection_lost_under_way_sends_the_same_packet_again() -> None:
    session = open_session()
    session.next_outgoing(0)
    session.on_disconnected(10)
    session.on_connected()
    assert session.next_outgoing(200) == packet(0).data
    assert session.counts.resent == 1


def test_late_and_doubled_answers_are_harmless() -> None:
    session = open_session()
    session.next_outgoing(0)
    session.on_tick(1000)
    session.next_outgoing(1000)
    session.on_bytes(answer(packet(0)) * 2)
    assert session.take_confirmed() == [packet(0).qn]
    assert session.next_outgoing(1000) == packet(1).data
    session.on_bytes(answer(packet(0)))
    assert session.take_confirmed() == []
    assert (session.counts.late, session.counts.confirmed) == (2, 1)


def test_late_answer_before_the_resend_saves_it() -> None:
    session = open_session()
    session.next_outgoing(0)
    session.on_tick(1000)
    session.on_bytes(answer(packet(0)))
    assert session.next_outgoing(1001) == packet(1).data


@pytest.mark.parametrize(
    "wrong",
    [
        answer(packet(0), QN="20260301081500999"),
        answer(packet(0), MN="0" * 24),
        answer(packet(1)),
        reframed(answer(packet(0)).replace(b"CN=9014", b"CN=9013")),
        answer(packet(0)).replace(b"Flag=4", b"Flag=5"),
        b"##9999",
        b"",
    ],
)
def test_answer_that_does_not_match_confirms_nothing(wrong: bytes) -> None:
    session = open_session()
    session.next_outgoing(0)
    session.on_bytes(wrong)
    assert session.take_confirmed() == []
    session.on_bytes(answer(packet(0)))
    assert session.take_confirmed() == [packet(0).qn]


def test_answer_before_anything_was_sent_confirms_nothing() -> None:
    session = open_session()
    session.on_bytes(answer(packet(0)))
    assert (session.take_confirmed(), session.counts.stray) == ([], 1)


def test_answer_without_mn_is_taken() -> None:
    session = open_session()
    session.next_outgoing(0)
    session.on_bytes(reframed(answer(packet(0)).replace(f"MN={MN};".encode(), b"")))
    assert session.take_confirmed() == [packet(0).qn]


def test_answer_behind_a_damaged_length_is_found_at_the_time_out() -> None:
    session = open_session()
    session.next_outgoing(0)
    session.on_bytes(b"##0987")
    session.on_bytes(answer(packet(0)))
    assert session.take_confirmed() == []
    session.on_tick(1000)
    assert session.take_confirmed() == [packet(0).qn]


def test_a_command_that_nobody_answers_is_counted() -> None:
    session = open_session()
    session.on_bytes(build(Segment("20260301081500777", "32", "1012", "123456", MN, 5)).data)
    assert session.next_outgoing(0) == packet(0).data
    assert session.counts.ignored == 1


def test_commands_without_end_pile_nothing_up() -> None:
    session = Hj212Session(SETTINGS, lambda: 0.5, Partner(lambda one: Reaction([request_answer(one, 2)], refused=True)))
    session.on_connected()
    session.on_bytes(build(Segment("20260301081500777", "32", "1012", "123456", MN, 5)).data * 100)
    replies = 0
    while (data := session.next_outgoing(0)) and b"9011" in data:
        replies += 1
    assert replies == REPLIES_MAX
    assert session.counts.ignored == 100 - REPLIES_MAX


def test_a_questions_packets_and_the_outboxs_take_turns_and_the_result_comes_after_them() -> None:
    """P-146: not after all that waits beside them."""
    question = build(Segment("20260301081500777", "32", "2051", "123456", MN, 5)).data
    last = result(parse(question).segment, 1)  # type: ignore[arg-type]
    session = Hj212Session(
        SETTINGS, lambda: 0.5, Partner(lambda _: Reaction([], iter(map(packet, (7, 8, 9))), lambda: last))
    )
    session.submit([packet(number) for number in range(5)])
    session.on_connected()
    session.on_bytes(question)
    order = []
    while data := session.next_outgoing(0):
        segment = parse(data).segment
        assert segment is not None
        order.append(int(segment.qn[-3:]))
        session.on_bytes(data_answer(segment).data)
    assert order == [7, 0, 8, 1, 9, 2, 777, 3, 4]
    assert session.take_confirmed() == [packet(number).qn for number in range(5)]
    assert (session.counts.history, session.counts.stray) == (3, 1)  # the stray is our own echo of 9012


def test_a_question_ends_with_its_connection() -> None:
    question = build(Segment("20260301081500777", "32", "2051", "123456", MN, 5)).data
    session = Hj212Session(SETTINGS, lambda: 0.5, Partner(lambda _: Reaction([], iter([packet(7)]), lambda: packet(8))))
    session.submit([packet(0)])
    session.on_connected()
    session.on_bytes(question)
    assert session.next_outgoing(0) == packet(7).data
    session.on_disconnected(0)
    session.on_connected()
    assert session.next_outgoing(1) == packet(0).data
    assert session.counts.resent == 0


def test_heartbeats_keep_time_and_their_silence_ends_the_connection() -> None:
    beat = build(Segment("20260301081500200", "44", "9015", "123456", MN, 9))
    session = Hj212Session(LinkSettings(heartbeat_ms=1000), lambda: 0.5, Partner(heartbeats=lambda: [beat]))
    session.on_connected()
    sent = 0
    for now_ms in range(0, 3000, 100):
        session.on_tick(now_ms)
        sent += session.next_outgoing(now_ms) == beat.data
    assert sent == 3
    session.on_bytes(notice_answer(parse(beat.data).segment).data)  # type: ignore[arg-type]
    assert session.counts.stray == 0
    for now_ms in range(3000, 6000, 100):
        session.on_tick(now_ms)
        assert not session.wants_close
    session.on_tick(6000)
    assert session.wants_close


def test_each_station_of_a_connection_has_its_heartbeat_however_many_there_are() -> None:
    """More of them than replies may wait."""
    beats = [packet(number) for number in range(REPLIES_MAX + 9)]
    session = Hj212Session(LinkSettings(heartbeat_ms=1000), lambda: 0.5, Partner(heartbeats=lambda: beats))
    session.on_connected()
    session.on_tick(0)
    assert [session.next_outgoing(0) for _ in beats] == [one.data for one in beats]
    assert (session.next_outgoing(0), session.counts.heartbeats) == (None, len(beats))


def test_an_upload_that_failed_is_said_to_come_again_and_a_resend_in_time_is_not() -> None:
    """2025: RF=1 after a connection was given up; the QN stays."""
    item = ((("DataTime", "20260301081500"),), (("d20105-Rtd", "220.1"),))
    upload = build(Segment("20260301081500123", "44", "2011", "123456", MN, 9, item))
    session = Hj212Session(SETTINGS, lambda: 0.0)
    session.submit([upload])
    session.on_connected()
    assert session.next_outgoing(0) == upload.data
    session.on_tick(1000)
    assert session.next_outgoing(1000) == upload.data
    session.on_disconnected(1500)
    session.on_connected()
    again = session.next_outgoing(2000)
    assert again is not None
    segment = parse(again).segment
    assert segment is not None
    assert (segment.qn, segment.rf) == (upload.qn, 1)
    session.on_bytes(data_answer(segment).data)
    assert session.take_confirmed() == [upload.qn]


def test_pause_grows_is_capped_and_ends_with_a_confirmation() -> None:
    session = Hj212Session(SETTINGS, lambda: 1 - 1e-9)
    pauses = []
    now_ms = 0
    for _ in range(7):
        session.on_disconnected(now_ms)
        start_ms = now_ms
        while not session.wants_connection(now_ms):
            now_ms += 1
        pauses.append(now_ms - start_ms)
    assert pauses == [99, 199, 399, 799, 1599, 1599, 1599]
    session.on_connected()
    session.on_disconnected(now_ms)
    assert not session.wants_connection(now_ms + 1598)
    session.on_connected()
    session.submit([packet(0)])
    session.next_outgoing(now_ms)
    session.on_bytes(answer(packet(0)))
    session.on_disconnected(now_ms)
    assert session.wants_connection(now_ms + 99)


def test_driver_knows_how_long_nothing_falls_due() -> None:
    session = Hj212Session(SETTINGS, lambda: 0.0)
    assert session.quiet_ms(0) == 0
    session.on_connected()
    assert session.quiet_ms(0) is None
    session.submit([packet(0)])
    session.next_outgoing(0)
    assert (session.quiet_ms(0), session.quiet_ms(400), session.quiet_ms(1100)) == (1000, 600, 0)
    session.on_disconnected(1100)
    assert session.quiet_ms(1100) == 50


def test_line_is_bounded() -> None:
    session = Hj212Session(SETTINGS, lambda: 0.5)
    session.submit([packet(0)] * QUEUE_PACKETS_MAX)
    with pytest.raises(ValueError, match=str(QUEUE_PACKETS_MAX)):
        session.submit([packet(1)])


@given(st.randoms(use_true_random=False), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_whatever_the_platform_does_each_packet_is_confirmed_once_in_order(rng: random.Random, packets: int) -> None:
    """Answers late, twice, lost or damaged, connections cut: in the end each QN is confirmed once, in its order."""
    session = Hj212Session(SETTINGS, rng.random)
    session.submit([packet(number) for number in range(packets)])
    confirmed: list[str] = []
    under_way: list[bytes] = []
    now_ms = 0
    for step in range(20_000):
        now_ms += rng.choice([1, 50, 400, 1000])
        if session.wants_connection(now_ms):
            session.on_connected()
        kind = rng.choice(["good", "good", "lost", "twice", "damaged", "cut", "garbage"]) if step < 2000 else "good"
        if data := session.next_outgoing(now_ms):
            sent = parse(data).segment
            assert sent is not None
            reply = data_answer(sent).data
            under_way += {
                "good": [reply],
                "lost": [],
                "twice": [reply, reply],
                "damaged": [reply[:40] + b"?" + reply[41:]],
            }.get(kind, [b"##0200garbage", reply])
        while under_way and rng.random() < 0.7:
            session.on_bytes(under_way.pop(0)) if session.connected else under_way.clear()
        session.on_tick(now_ms)
        if session.wants_close or (kind == "cut" and session.connected):
            session.on_disconnected(now_ms)
            under_way.clear()
        confirmed += session.take_confirmed()
        if not session.pending:
            break
    assert confirmed == [packet(number).qn for number in range(packets)]


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_from_the_platform_never_raise_and_confirm_nothing(chunks: list[bytes]) -> None:
    session = open_session()
    session.next_outgoing(0)
    for chunk in chunks:
        session.on_bytes(chunk)
        session.on_tick(500)
    assert session.take_confirmed() == []
    assert session.pending == 3


def test_session_module_opens_no_socket_and_reads_no_clock() -> None:
    source = pathlib.Path(__file__).parents[3] / "gateway" / "forward" / "hj212" / "session.py"
    text = source.read_text("utf-8")
    assert not [name for name in ("import socket", "import time", "import random", "asyncio") if name in text]
