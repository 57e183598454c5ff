"""Tickets that open a terminal's console for a while (UPDATES.md, section 4): signed, for one terminal, used once."""

from collections import namedtuple

from protocol import cbor, limits
from protocol.errors import FrameError
from protocol.sign1 import Signed

CONTENT_TYPE = "application/vnd.wattline.ticket+cbor"
FORMAT = 1
LINE = "wattline-ticket "  # what a console hears: this, the signed bytes in hex, the end of the line
MINUTES_MAX = 240

# why one is refused: the event console_refused tells it
MALFORMED = 1
KEY = 2
SIGNATURE = 3
TERMINAL = 4
EXPIRED = 5
NO_TIME = 6
USED = 7

# number: rises, for each terminal; before_s: Unix s, not taken from then on; minutes: how long the console is open
Ticket = namedtuple("Ticket", ("terminal", "number", "before_s", "minutes"))


class TicketError(Exception):
    """A ticket that is not taken; `refusal` is one of the above."""

    def __init__(self, refusal: int) -> None:
        super().__init__(refusal)
        self.refusal = refusal


def encode(one: Ticket) -> bytes:
    """What is signed. Raises TicketError if nobody would read it."""
    items = [cbor.integer(FORMAT), cbor.tstr(one.terminal)]
    payload = cbor.array(items + [cbor.integer(value) for value in (one.number, one.before_s, one.minutes)])
    read(payload)
    return payload


def signed_of(data: bytes) -> Signed:
    """A ticket as it came, whose signature is to be verified before `read`. Raises TicketError."""
    try:
        return Signed(data, CONTENT_TYPE)
    except FrameError:
        raise TicketError(MALFORMED)  # noqa: B904  MicroPython has no chains


def read(payload: bytes) -> Ticket:
    """What was signed. Raises TicketError."""
    reader = cbor.Reader(payload)
    try:
        reader.array(5, 5)
        if reader.uint(limits.UINT32_MAX) != FORMAT:
            raise reader.fail("range")
        terminal = reader.tstr(1, limits.TERMINAL_CHARS_MAX)
        number = reader.uint(limits.UINT32_MAX)
        before_s = reader.uint(limits.UINT32_MAX)
        minutes = reader.uint(MINUTES_MAX)
        reader.done()
    except FrameError:
        raise TicketError(MALFORMED)  # noqa: B904  MicroPython has no chains
    if not minutes:
        raise TicketError(MALFORMED)
    return Ticket(terminal, number, before_s, minutes)


def refusal(one: Ticket, terminal: str, last: int, now_s: "int | None") -> int:
    """Why a terminal does not open for it; 0: it does. last: the number that it opened for last."""
    if one.terminal != terminal:
        return TERMINAL
    if one.number <= last:
        return USED
    if now_s is None:
        return NO_TIME
    return EXPIRED if now_s >= one.before_s else 0
