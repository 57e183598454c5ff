"""A platform in memory: what a sink's sessions send is answered at once, by the emulator's own rules."""

from collections import defaultdict
from collections.abc import Sequence

from gateway.forward.hj212.session import Hj212Session
from gateway.hj212.packet import Segment, build
from gateway.hj212.stream import Keys, Splitter, no_keys
from hil.platform import ANSWERS, answer_to
from hil.platform_ledger import Ledger
from hil.platform_rules import Rules, broken


class PlatformDouble:
    """The transport and the jitter of a sink, and the platform behind it. `answers` False: it keeps, and is silent.

    deaf_to: a CN that it neither keeps nor answers; hangs_up: it ends the connection at it, too. descended: QNs below
    an earlier one of their connection.
    """

    def __init__(self, rules: Rules | None = None, keys: Keys = no_keys) -> None:
        self.ledger = Ledger()
        self.answers = True
        self.is_there = True
        self.copies = 1  # of each answer
        self.delay_ms = 0
        self._late: list[tuple[int, Hj212Session, bytes]] = []
        self.now_ms = 0
        self.last_error = ""
        self.replies: list[Segment] = []  # 9011, 9012, 9013 of the station, in order
        self.told: list[Segment] = []  # everything else, in order
        self.broken: list[str] = []
        self.deaf_to, self.hangs_up = "", False
        self.descended: list[str] = []
        self._last_qns: dict[int, str] = defaultdict(str)
        self.most_under_way = 0
        self._rules = rules or Rules()
        self._keys = keys
        self._splitters: dict[int, Splitter] = defaultdict(lambda: Splitter(keys))
        self._commands: list[bytes] = []
        self._sessions: Sequence[Hj212Session] = ()

    def jitter(self) -> float:
        return 0.0

    def transport(self, sessions: Sequence[Hj212Session]) -> "PlatformDouble":
        self._sessions = sessions
        self._splitters.clear()
        return self

    def send(self, cn: str, mn: str, pw: str, *cp: tuple[str, str], flag: int = 5) -> str:
        """Send a command with the sink's next step; returns its QN."""
        qn = f"20260301081500{(len(self.replies) * 7 + len(self._commands)) % 1000:03d}"
        self._commands.append(build(Segment(qn, "44", cn, pw, mn, flag, tuple((one,) for one in cp))).data)
        return qn

    def step(self, wait_ms: int) -> None:
        self.now_ms += max(wait_ms, 1)
        self._answer_late()
        for number, session in enumerate(self._sessions):
            if self.is_there:
                self._serve(number, session)
            elif session.connected or session.wants_connection(self.now_ms):
                session.on_disconnected(self.now_ms)

    def _answer_late(self) -> None:
        late, self._late = self._late, []
        for due_ms, session, data in late:
            if due_ms > self.now_ms:
                self._late.append((due_ms, session, data))
            elif session.connected and session in self._sessions:
                session.on_bytes(data)

    def _serve(self, number: int, session: Hj212Session) -> None:
        if session.wants_connection(self.now_ms):
            self._splitters.pop(number, None)
            self._last_qns.pop(number, None)
            session.on_connected()
        if number == 0:
            commands, self._commands = self._commands, []
            session.on_bytes(b"".join(commands))
        session.on_tick(self.now_ms)
        for _ in range(1000):
            sent = session.next_outgoing(self.now_ms)
            if sent is None:
                break
            self._hear(session, number, sent)
            if self.hangs_up and self.told and self.told[-1].cn == self.deaf_to:
                session.on_disconnected(self.now_ms)
        if session.wants_close:
            session.on_disconnected(self.now_ms)

    def close(self) -> None:
        for session in self._sessions:
            if session.connected:
                session.on_disconnected(self.now_ms)

    def _hear(self, session: Hj212Session, number: int, data: bytes) -> None:
        for received in self._splitters[number].feed(data):
            segment = received.segment
            assert segment is not None, received.reason
            self.ledger.counts.encrypted += received.encrypted
            if segment.cn in ANSWERS:
                self.replies.append(segment)
                continue
            self.told.append(segment)
            if segment.qn < self._last_qns[number]:
                self.descended.append(segment.qn)
            self._last_qns[number] = segment.qn
            if segment.cn == self.deaf_to:
                continue
            self.broken += broken(self._rules, received, self.ledger)
            if segment.cn != "9015" and segment.wants_answer:
                self.ledger.accept(segment)
            packet = answer_to(segment) if self.answers else None
            if packet and self.delay_ms:
                self._late.append((self.now_ms + self.delay_ms, session, packet.data * self.copies))
            elif packet:
                session.on_bytes(packet.data * self.copies)
