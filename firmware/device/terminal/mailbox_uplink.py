# The other uplink: the same frames, offered in a mailbox (protocol/MAILBOX.md), from which a gateway fetches them.
#
# What is offered is chosen as for the broker, live before backlog (uplink.py); but one frame at a time, and for as long
# as it takes: whoever fetches comes when he comes. A frame that is not answered within its turn gives way to the next
# one; when all had their turn, it begins again, as it does when who was away has come back.
from protocol import configuration, frame, limits, mailbox
from terminal.uplink import LIVE_RECORDS

_NEVER_MS = 1 << 60  # a flight's time-out: the mailbox has its own


class MailboxUplink:
    """`identity` (terminal's id, terminal.keys.Keys). `look` offers what there is to offer; call it whenever there may
    be more, and every few seconds. `box` is what the Modbus server reads and writes."""

    def __init__(self, board, identity, clock, log, uplink, answers) -> None:  # type: ignore[no-untyped-def]
        self._board = board
        self._terminal, self._keys = identity
        self._clock = clock
        self._log = log
        self._uplink = uplink
        self._answers = answers
        self._stamp = 0  # of the frame offered
        self._is_away = False  # a frame had its turn, and nobody answered since
        number = int.from_bytes(board.random_bytes(2), "big")
        self.box = mailbox.Mailbox(self._terminal, number, clock.uptime_ms, self._answer)

    def look(self) -> None:
        """Offer the next frame, if it is its turn."""
        now_ms = self._board.real_ms()
        pending = self._log.pending_count()
        live = self._log.pending_from(max(self._log.next_seq - LIVE_RECORDS, 0))
        self.box.waiting(live, pending - live)
        if not pending:
            self.box.withdraw()
        elif not self._uplink.is_flying(self._stamp):
            self._offer(now_ms)
        elif self.box.due(now_ms):
            self._is_away = True
            self._offer(now_ms)

    def _offer(self, now_ms: int) -> None:
        found = self._compose(now_ms)
        if found is None:  # all had their turn
            self._uplink.connected(session_present=False)
            found = self._compose(now_ms)
        if found is None:
            self.box.withdraw()
            return
        self._stamp, records, epoch = found
        data = frame.seal_frame(self._keys.key, self._terminal, epoch, self._clock.boot_id, self._stamp, records)
        first = self._log.next_seq - LIVE_RECORDS
        lane = mailbox.LIVE if self._uplink.last_of(self._stamp) >= first else mailbox.BACKLOG
        self.box.offer(data, lane, now_ms)

    def _compose(self, now_ms: int):  # type: ignore[no-untyped-def]
        return self._uplink.compose(now_ms, self._clock.stamp, limits.FRAME_BYTES_MAX)

    def _answer(self, data: bytes, read_ms: "int | None") -> bool:
        authentic: bool = self._answers.take(data, self._board.real_ms(), read_ms)
        if authentic and self._is_away:
            self._is_away = False
            self._uplink.connected(session_present=False)  # what is live had its turn while nobody was there
        self.look()
        return authentic


def patient(settings: configuration.Uplink) -> configuration.Uplink:
    """The settings, without a time-out."""
    return configuration.Uplink(_NEVER_MS, settings.unacked_frames, settings.records_per_frame)
