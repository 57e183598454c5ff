"""What terminals say in events about what was wanted of them."""

from collections.abc import Sequence

from gateway.wanted.ranges import Range
from protocol import record
from protocol.limits import UINT32_MAX

GONE_EVENTS = frozenset(
    {record.LOG_FULL, record.NUMBERS_SKIPPED, record.LOG_PUT_BACK, record.LOG_RENUMBERED, record.REQUEST_UNMET}
)


def gone_by(code: int, values: Sequence[int]) -> list[Range]:
    """The numbers of its own log of which one of GONE_EVENTS says that there is no record, or none any more."""
    if len(values) != 2:
        return []
    # renumbered: what is below its first number is of the epoch before
    first, last = (0, values[1] - 1) if code == record.LOG_RENUMBERED else (values[0], values[1])
    if 0 <= first <= last <= UINT32_MAX:
        return [(first, last)]
    return []  # authentic, and says nothing
