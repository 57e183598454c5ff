"""What each terminal told last: what a list of all terminals shows. No I/O."""

from typing import NamedTuple

from gateway.watch.came import WINDOW_CODE, Came
from gateway.watch.service import HEALTH_PENDING
from protocol import limits, record


class Heard(NamedTuple):
    """Of a terminal. at_s: when it was heard last, by the gateway's clock; all else as it said, None: not yet.

    window_s: begin of its newest window; clock_error_s: of then. pending: records that waited at health_s. firmware:
    1,000,000 x major + 1,000 x minor + patch, of its start at started_s. epoch: of the window that came last; windows
    that begin before epoch_from_s may be another log's, too.
    """

    at_s: int
    window_s: int | None = None
    clock_error_s: int | None = None
    pending: int | None = None
    health_s: int | None = None
    firmware: int | None = None
    started_s: int | None = None
    epoch: int | None = None
    epoch_from_s: int | None = None


def after(before: Heard | None, one: Came) -> Heard:
    """What is known after one more record, in whatever order they come."""
    found = Heard(one.received_s) if before is None else before._replace(at_s=max(before.at_s, one.received_s))
    if one.code == WINDOW_CODE and one.epoch != found.epoch:
        ended_s = None if found.epoch is None else (found.window_s or 0) + limits.WINDOW_S
        found = found._replace(epoch=one.epoch, epoch_from_s=ended_s)
    if one.code == WINDOW_CODE and one.from_s >= (found.window_s or 0):
        return found._replace(window_s=one.from_s, clock_error_s=one.clock_error_s)
    if one.code == record.HEALTH and len(one.values) > HEALTH_PENDING and one.from_s >= (found.health_s or 0):
        return found._replace(pending=one.values[HEALTH_PENDING], health_s=one.from_s)
    if one.code == record.BOOT and len(one.values) > 1 and one.from_s >= (found.started_s or 0):
        return found._replace(firmware=one.values[1], started_s=one.from_s)
    return found
