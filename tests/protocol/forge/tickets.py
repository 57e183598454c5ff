"""protocol/vectors/update/tickets.json: tickets for a console, right and wrong, and what a terminal says to each."""

import json
from dataclasses import dataclass, replace

import cbor2

from tests.protocol.forge import p256
from tests.protocol.forge.bundles import CONTENT_TYPE, NOW_S, TICKET_TYPE, point_of, signed

OPENED = 0  # else the reason
MALFORMED, KEY, SIGNATURE, TERMINAL, EXPIRED, NO_TIME, USED = range(1, 8)
LAST = 40
LINE = "wattline-ticket "


@dataclass(frozen=True)
class Ticket:
    """A ticket in the making."""

    format: int = 1
    terminal: str = "T0001"
    number: int = LAST + 1
    before_s: int = NOW_S + 3600
    minutes: int = 30
    secret: int = p256.SECRET
    content_type: str = TICKET_TYPE

    def payload(self) -> bytes:
        """What is signed."""
        return cbor2.dumps([self.format, self.terminal, self.number, self.before_s, self.minutes])

    def line(self) -> str:
        """What the console hears."""
        return LINE + signed(self.secret, self.payload(), self.content_type).hex()


def tickets() -> str:
    """The file."""
    good = Ticket()
    altered = good.line().replace(good.payload().hex(), replace(good, minutes=31).payload().hex())
    cases: list[tuple[str, str, int, int | None]] = [
        ("a ticket", good.line(), OPENED, NOW_S),
        ("for a minute, the last second", replace(good, minutes=1, before_s=NOW_S + 1).line(), OPENED, NOW_S),
        ("for four hours", replace(good, minutes=240).line(), OPENED, NOW_S),
        ("for longer", replace(good, minutes=241).line(), MALFORMED, NOW_S),
        ("for no time", replace(good, minutes=0).line(), MALFORMED, NOW_S),
        ("of a newer format", replace(good, format=2).line(), MALFORMED, NOW_S),
        ("an update's manifest", replace(good, content_type=CONTENT_TYPE).line(), MALFORMED, NOW_S),
        ("not hex", LINE + "open", MALFORMED, NOW_S),
        ("nothing", LINE, MALFORMED, NOW_S),
        ("cut short", good.line()[:-2], MALFORMED, NOW_S),
        ("with another key", replace(good, secret=p256.SECRET + 1).line(), KEY, NOW_S),
        ("altered", altered, SIGNATURE, NOW_S),
        ("for another terminal", replace(good, terminal="T0002").line(), TERMINAL, NOW_S),
        ("too late", replace(good, before_s=NOW_S).line(), EXPIRED, NOW_S),
        ("to a terminal without time", good.line(), NO_TIME, None),
        ("used", replace(good, number=LAST).line(), USED, NOW_S),
        ("older than one that was used", replace(good, number=1).line(), USED, NOW_S),
    ]
    known = {"keys": [point_of(good.secret).hex()], "terminal": good.terminal, "last": LAST}
    vectors = [
        {"id": f"T-{at:03}", "comment": comment, **known, "now_s": now_s, "line": line, "result": result}
        for at, (comment, line, result, now_s) in enumerate(cases, 1)
    ]
    lines = ",\n  ".join(json.dumps(one) for one in vectors)
    about = "Tickets, as lines of a console: 0 opened, or the reason of the event console_refused."
    return f'{{\n "about": {json.dumps(about)},\n "vectors": [\n  {lines}\n ]\n}}\n'
