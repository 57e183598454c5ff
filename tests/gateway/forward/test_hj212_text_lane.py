"""Log texts of one connection without I/O: they step aside, are refused by what else is answered, and come again."""

import random
from collections import Counter

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gateway.forward.hj212.line import TEXT_RETRY_MS
from gateway.forward.hj212.session import Hj212Session, LinkSettings, Partner
from gateway.hj212.answers import data_answer
from gateway.hj212.packet import Packet, Segment, build, with_qn
from gateway.hj212.parse import parse
from gateway.hj212.times import qn_of
from tests.gateway.forward.packets import MN

SENDS = 4  # the first and three resends
SETTINGS = LinkSettings(answer_timeout_ms=1000, resends=SENDS - 1, reconnect_min_ms=100, reconnect_max_ms=1600)


def packet(number: int, cn: str = "2051") -> Packet:
    code = ("i21001-Info", "//x//") if cn == "3020" else ("i33200-Avg", str(number))
    items = ((("DataTime", "20260301081500"),), (code,))
    return build(Segment(qn_of(number), "32", cn, "123456", MN, 5, items))


def text(number: int) -> Packet:
    return packet(number, "3020")


def answer(data: bytes) -> bytes:
    segment = parse(data).segment
    assert segment is not None
    return data_answer(segment).data


def in_vain(session: Hj212Session, one: Packet, now_ms: int, sends: int = SENDS) -> int:
    """Sent as often as may be, without an answer; the time then."""
    for _ in range(sends):
        assert session.next_outgoing(now_ms) == one.data
        now_ms += 1000
        session.on_tick(now_ms)
    return now_ms


def open_session(*packets: Packet) -> Hj212Session:
    session = Hj212Session(SETTINGS, lambda: 0.5)
    session.submit(packets)
    session.on_connected()
    return session


def test_a_text_is_refused_by_what_else_is_answered_and_comes_first_on_another_connection() -> None:
    """P-435: after a pause, under its QN; nothing is renumbered, and it is no failure of the connection."""
    session = open_session(text(1), packet(2), packet(3))
    now_ms = in_vain(session, text(1), 0)
    assert session.next_outgoing(now_ms) == packet(2).data
    assert session.take_refused_texts() == []
    session.on_bytes(answer(packet(2).data))
    assert (session.take_refused_texts(), session.take_confirmed()) == ([text(1).qn], [packet(2).qn])
    assert (session.takes_texts, session.refuses_texts, session.counts.aside) == (False, True, 1)
    session.on_bytes(answer(session.next_outgoing(now_ms) or b""))
    assert session.next_outgoing(now_ms + TEXT_RETRY_MS - 1001) is None
    assert not session.wants_close
    now_ms += TEXT_RETRY_MS
    assert (session.next_outgoing(now_ms), session.wants_close) == (None, True)
    session.on_disconnected(now_ms)
    assert (session.wants_connection(now_ms), session.is_failing, session.counts.gave_up) == (True, False, 0)
    session.on_connected()
    session.submit([packet(4)])
    now_ms = in_vain(session, text(1), now_ms, 1)
    session.give_up_text(text(1).qn)
    assert session.next_outgoing(now_ms) == packet(4).data


def test_a_text_is_tried_again_when_nothing_else_waits_and_twice_as_late_where_something_always_does() -> None:
    """P-489."""
    session = open_session(text(1), packet(2), packet(3))
    now_ms = in_vain(session, text(1), 0)
    session.on_bytes(answer(session.next_outgoing(now_ms) or b""))
    now_ms += TEXT_RETRY_MS
    assert (session.next_outgoing(now_ms), session.wants_close) == (packet(3).data, False)
    session.on_bytes(answer(packet(3).data))
    session.submit([packet(4)])
    assert (session.next_outgoing(now_ms + TEXT_RETRY_MS), session.wants_close) == (None, True)


def test_a_text_that_was_withdrawn_in_line_is_not_sent() -> None:
    """P-490: the packet behind it goes in its place; its owner is told to forget it."""
    session = Hj212Session(SETTINGS, lambda: 0.5, Partner(note_sent=lambda one: one.qn != text(1).qn))
    session.submit([text(1), packet(2)])
    session.on_connected()
    assert session.next_outgoing(0) == packet(2).data
    assert (session.take_refused_texts(), list(session.texts)) == ([text(1).qn], [])


def test_an_answer_to_a_text_that_stepped_aside_confirms_it() -> None:
    """P-435: texts go on from there, on the same connection."""
    session = open_session(text(1), packet(2), text(3), packet(4))
    now_ms = in_vain(session, text(1), 0)
    sent = session.next_outgoing(now_ms) or b""
    assert (sent, list(session.texts)) == (packet(2).data, [text(1)])  # the outbox has the other still
    session.on_bytes(answer(text(1).data))
    assert (session.take_answered_texts(), session.takes_texts) == ([text(1).qn], True)
    session.on_bytes(answer(sent))
    assert (session.take_refused_texts(), session.take_confirmed()) == ([], [packet(2).qn])


def test_an_answer_that_comes_right_behind_the_proof_takes_it_back() -> None:
    """P-435: both in what is read at once."""
    session = open_session(text(1), packet(2))
    session.next_outgoing(in_vain(session, text(1), 0))
    session.on_bytes(answer(packet(2).data) + answer(text(1).data))
    assert (session.take_answered_texts(), session.take_refused_texts()) == ([text(1).qn], [])
    assert (session.takes_texts, session.refuses_texts) == (True, False)


def test_behind_a_text_that_stepped_aside_one_of_an_earlier_process_is_first_on_another_connection() -> None:
    """P-437: it keeps its QN, which is past on this one; on each, QNs ascend."""
    session = open_session(packet(3))
    session.submit([text(1)], sent_before=True)
    sent = session.next_outgoing(in_vain(session, text(1), 0)) or b""
    session.on_bytes(answer(sent) + answer(text(1).data))
    session.submit([text(2)], sent_before=True)
    assert (session.next_outgoing(5000), session.wants_close) == (None, True)
    session.on_disconnected(5000)
    assert (session.wants_connection(5000), session.is_failing) == (True, False)
    session.on_connected()
    assert session.next_outgoing(5000) == text(2).data


def test_where_nothing_else_is_answered_the_text_is_first_again_at_once() -> None:
    """P-435: the platform was away; a connection that does not come about shows nothing."""
    session = open_session(text(1), packet(2))
    now_ms = in_vain(session, packet(2), in_vain(session, text(1), 0))
    assert (session.wants_close, session.takes_texts) == (True, False)
    session.on_disconnected(now_ms)
    assert (session.take_refused_texts(), session.takes_texts) == ([], True)
    session.on_disconnected(now_ms)
    session.on_connected()
    assert session.next_outgoing(now_ms) == text(1).data


def test_without_anything_else_to_send_silence_ends_the_connection_and_refuses_nothing() -> None:
    """P-435: as for any packet; a platform that is away is found out."""
    session = open_session(text(1))
    now_ms = in_vain(session, text(1), 0)
    assert (session.wants_close, session.counts.gave_up) == (True, 1)
    session.on_disconnected(now_ms)
    assert (session.is_failing, session.takes_texts) == (True, True)


class Model:
    """A session, a platform of a mood, and what is known of both. `now_ms` is the session's clock."""

    def __init__(self, chance: random.Random) -> None:
        self.chance, self.now_ms, self.mood = chance, 0, "good"
        self.numbers = iter(range(1000, 100_000))
        partner = Partner(renumber=lambda one: with_qn(one, qn_of(next(self.numbers))))
        self.session = Hj212Session(SETTINGS, chance.random, partner)
        self.submitted = self.confirmed = self.held_up = 0
        self.in_vain: Counter[str] = Counter()
        self.last_qn, self.is_proven = "", False
        self.most = SENDS  # of the text that was sent last, in a round

    def submit(self) -> None:
        session = self.session
        session.submit([packet(next(self.numbers))])
        self.submitted += 1
        if session.takes_texts and not session.texts:
            session.submit([text(next(self.numbers))])

    def step(self) -> None:
        session = self.session
        if session.wants_connection(self.now_ms):
            session.on_connected()
            self.last_qn = ""
        if data := session.next_outgoing(self.now_ms):
            self.hear(data)
        session.on_tick(self.now_ms)
        if session.wants_close:
            session.on_disconnected(self.now_ms)
        self.confirmed += len(session.take_confirmed())
        for qn in session.take_refused_texts():
            assert (self.in_vain.pop(qn) >= self.most, self.is_proven) == (True, True)
            if self.chance.random() < 0.5:
                session.give_up_text(qn)

    def hear(self, data: bytes) -> None:
        sent = parse(data).segment
        assert sent is not None
        assert sent.qn >= self.last_qn
        self.last_qn, is_a_text = sent.qn, sent.cn == "3020"
        if is_a_text:
            self.in_vain[sent.qn] += 1
            self.most = 1 if self.session.refuses_texts else SENDS
            self.held_up += self.session.pending > 0
            self.is_proven = False
        if self.mood == "good" or (self.mood != "silent" and not is_a_text):
            assert self.held_up <= self.most
            self.held_up = self.held_up if is_a_text else 0
            self.is_proven |= not is_a_text
            self.session.on_bytes(answer(data))
        elif self.mood == "hangs_up":
            self.session.on_disconnected(self.now_ms)


@given(st.randoms(use_true_random=False))
@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_whatever_the_platform_does_a_text_is_refused_by_proof_alone_and_holds_nothing_up(rng: random.Random) -> None:
    """P-438, P-489: SENDS in vain, one where a text was refused before, then another packet answered; no reading waits
    longer; QNs ascend on a connection.
    """
    model = Model(rng)
    for step in range(3000):
        model.now_ms += rng.choice([1, 300, 1000, TEXT_RETRY_MS if step % 50 == 0 else 1])
        if step % 20 == 0:
            model.submit()
        if step % 200 == 0:
            model.mood, model.held_up = rng.choice(["deaf", "deaf", "silent", "hangs_up", "good"]), 0
        model.step()
    model.mood, model.held_up = "deaf", 0
    for _ in range(2000):
        model.now_ms += 1000
        model.step()
    assert (model.confirmed, model.session.pending) == (model.submitted, 0)
