"""What changed of an alarm since it was looked at last, as people are told it: each change once. No I/O."""

from collections.abc import Mapping
from typing import NamedTuple

from gateway.watch import service
from gateway.watch.alarms import CLOSED, WITHDRAWN
from gateway.watch.store import Row

BEGUN, BECAME, ENDED = "begun", "became", "ended"
CHANGES = (BEGUN, BECAME, ENDED, CLOSED, WITHDRAWN)
# By then the next quarter of an hour has come and was looked at, or its terminal is silent.
ENDS_AFTER_S = 2_700
_SOONER_S: Mapping[str, int] = {service.SINK_FAILING: 120}  # looked at each half minute, by the gateway's own clock
ENDS_SOONEST_S = min(_SOONER_S.values())
QUIET_FOR_S = 7 * 86_400  # late windows may still make more of an alarm than maintenance covers


class Noted(NamedTuple):
    """What was noted of an alarm. kind: "": nothing yet. end_s: None: no end. is_final: no change follows."""

    kind: str = ""
    end_s: int | None = None
    is_final: bool = False


def change_of(row: Row, noted: Noted, now_s: int, *, is_quiet: bool) -> tuple[str | None, Noted]:
    """(the change that is to be told next, None: none; what is noted with it).

    A change is one of CHANGES; with the kind that an alarm became, or the end that it had, behind a dot. is_quiet:
    maintenance covers the whole alarm: it is told of only once it outlasts that.
    """
    if row.state in {CLOSED, WITHDRAWN}:
        return (row.state if noted.kind else None), noted._replace(is_final=True)
    if not noted.kind:
        if is_quiet:
            return None, noted._replace(is_final=now_s - row.to_s > QUIET_FOR_S)
        return BEGUN, noted._replace(kind=row.kind)
    if noted.kind != row.kind:
        return f"{BECAME}.{row.kind}", noted._replace(kind=row.kind)
    if noted.end_s != row.to_s and now_s - row.to_s >= _SOONER_S.get(row.kind, ENDS_AFTER_S):
        return f"{ENDED}.{row.to_s}", noted._replace(end_s=row.to_s)
    return None, noted
