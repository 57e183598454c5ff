"""The fleet: every terminal with what it told last, those that need somebody first."""

from collections import Counter
from contextlib import closing

import msgspec

from gateway.console.route import Call, Nothing, Route
from gateway.console.users import Role
from gateway.registry import Terminal
from gateway.watch.heard import Heard
from gateway.watch.store import Store

FIRMWARE_MAJOR, FIRMWARE_MINOR = 1_000_000, 1_000


class TerminalRow(msgspec.Struct, frozen=True):
    """A terminal. heard_s: when it was heard last, by the gateway's clock; all else as it told last. null: not yet."""

    id: str
    enterprise: str
    points: int
    revoked: bool
    alarms: int  # that nobody has closed
    heard_s: int | None
    window_s: int | None
    clock_error_s: int | None
    pending: int | None
    firmware: str | None


class Fleet(msgspec.Struct, frozen=True):
    """All terminals: those with alarms first, then those that were not heard for longest. now_s: of the gateway."""

    now_s: int
    terminals: list[TerminalRow]


def _fleet(call: Call) -> Fleet:
    house = call.house
    enterprise_of = {point.terminal: one.id for one in house.enterprises() for point in one.points}
    with closing(Store(house.folder)) as store:
        heard = store.heard()
        alarms = _by_terminal(store.open_counts())
    known = house.registry().all()
    found = [_row(one, enterprise_of.get(one.id, ""), heard.get(one.id), alarms[one.id]) for one in known]
    found.sort(key=lambda one: (one.revoked, -one.alarms, one.heard_s or 0))
    return Fleet(house.now_s, found)


ROUTES = [Route("GET", "/api/terminals", Role.VIEWER, "All terminals, red first", Nothing, Fleet, _fleet)]


def _row(one: Terminal, enterprise: str, heard: Heard | None, alarms: int) -> TerminalRow:
    revoked = one.revoked_s is not None
    if heard is None:
        return TerminalRow(one.id, enterprise, len(one.points), revoked, alarms, None, None, None, None, None)
    firmware = None if heard.firmware is None else _version(heard.firmware)
    told = (heard.at_s, heard.window_s, heard.clock_error_s, heard.pending, firmware)
    return TerminalRow(one.id, enterprise, len(one.points), revoked, alarms, *told)


def _version(number: int) -> str:
    minor, patch = divmod(number % FIRMWARE_MAJOR, FIRMWARE_MINOR)
    return f"{number // FIRMWARE_MAJOR}.{minor}.{patch}"


def _by_terminal(open_counts: dict[str, int]) -> Counter[str]:
    """Of alarms of a terminal, of its points and pairs of points; a linkage's are its enterprise's."""
    found: Counter[str] = Counter()
    for subject, count in open_counts.items():
        found[subject.partition("/")[0]] += count
    return found
