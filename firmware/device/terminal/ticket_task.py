# Hears tickets on a closed console (protocol/UPDATES.md, section 4). One that is right is an event, and the next start
# leaves the console open; what is not is an event too, a few times an hour.
import asyncio
import sys

from loader import console

from protocol import p256, record, ticket
from protocol.ticket import TicketError
from terminal import small_file
from terminal.sparing import Sparing
from terminal.update_intake import KEYS_FILE, load_keys

ALLOWANCE_MS = 600000
_ALIVE_MS = 60000
_LINE_BYTES_MAX = 512  # a ticket takes 400


class TicketTask:
    """`terminal` is the id; `prefix` of the board's root; `event(code, point, values)` writes one. `run` is a task;
    `restart` says that the terminal is to start anew."""

    def __init__(self, board, terminal: str, prefix: str, clock, event, say) -> None:  # type: ignore[no-untyped-def]
        self.restart = False
        self.alive_ms = board.real_ms()
        self._board = board
        self._terminal = terminal
        self._prefix = prefix
        self._clock = clock
        self._event = event
        self._say = say
        self._sparing = Sparing()

    async def run(self) -> None:
        """Never returns, but where there is no console."""
        reader = asyncio.StreamReader(sys.stdin.buffer)
        line = b""
        while True:
            self.alive_ms = self._board.real_ms()
            try:
                char = await self._board.wait_for_ms(reader.read(1), _ALIVE_MS)
            except asyncio.TimeoutError:
                continue
            if not char:
                await self._board.pause_ms(_ALIVE_MS)  # nobody can type
            elif char in (b"\r", b"\n"):
                await self.hear(line)
                line = b""
            elif b" " <= char <= b"~" and len(line) < _LINE_BYTES_MAX:
                line += char

    async def hear(self, line: bytes) -> None:
        """A line of the console."""
        word = ticket.LINE.encode()
        if not line.startswith(word):
            return
        try:
            one = await self._verified(line[len(word) :].strip())
            self._open(one)
        except TicketError as error:
            self._refuse(error.refusal)

    async def _verified(self, digits: bytes) -> ticket.Ticket:
        try:
            signed = ticket.signed_of(bytes.fromhex(digits.decode()))
            keys = load_keys(self._board.data_dir + KEYS_FILE)
        except ValueError:  # no hex, no keys
            raise TicketError(ticket.MALFORMED)  # noqa: B904  MicroPython has no chains
        if signed.kid not in keys:
            raise TicketError(ticket.KEY)
        found = False
        for one in p256.steps(keys[signed.kid], signed.digest, signed.signature):
            found = one is True
            await asyncio.sleep(0)
        if not found:
            raise TicketError(ticket.SIGNATURE)
        return ticket.read(signed.payload)

    def _open(self, one: ticket.Ticket) -> None:
        path = self._board.data_dir + "/ticket"
        data = small_file.read(path)
        last = int.from_bytes(data, "big") if data else 0
        unix_ms = self._clock.unix_ms(self._clock.uptime_ms())
        reason = ticket.refusal(one, self._terminal, last, None if unix_ms is None else unix_ms // 1000)
        if reason:
            raise TicketError(reason)
        small_file.write(path, one.number.to_bytes(4, "big"))  # first: it is used once, whatever happens
        self._say("console: opened by ticket", one.number, "for", one.minutes, "minutes")
        self._event(record.CONSOLE_OPENED, None, (one.number, one.minutes))
        console.open_next(self._prefix, one.minutes)
        self.restart = True

    def _refuse(self, reason: int) -> None:
        self._say("console: ticket refused:", reason)
        if self._sparing.may(record.CONSOLE_REFUSED, self._board.real_ms()):  # who types on and on fills no log
            self._event(record.CONSOLE_REFUSED, None, (reason,))
