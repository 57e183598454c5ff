# The contract of cext.hj212: windows of a batch, as columns, into HJ 212 packets. The bytes are those of
# gateway/forward/hj212/encode.py (tests/cext/test_hj212.py); nothing here is read from the network.

from collections.abc import Iterable, Sequence
from typing import TypeAlias, final

from typing_extensions import Buffer

# the check value of a data segment
def crc(data: Buffer) -> int: ...

_Attribute: TypeAlias = tuple[bytes, int, bool]  # suffix with - and =, place in Reading, whether it is an instant
_Item: TypeAlias = tuple[int, bytes, int, int, Sequence[_Attribute]]  # point, code, decimals, divisor, attributes
_Message: TypeAlias = tuple[int, bytes, Iterable[_Item]]  # kind, from ST= to Flag=, items in order

# What a platform wants of one station. kind: 0 of the period (2051), 1 of the instant (2011), 2 states (2021; an item
# has no attributes). divisor: how many of the field's own units are one of the last decimal. ValueError out of bounds.
@final
class Plan:
    mn: str
    def __init__(self, mn: str, messages: Iterable[_Message]) -> None: ...

# flag: of an unsplit packet, 5 or 9. letters: of a point that stood still, of few samples, of none because silent,
# garbled, other.
@final
class Encoder:
    def __init__(self, *, flag: int, half_up: bool, letters: bytes) -> None: ...
    # [(QN, data), ...] of a window; None where 45 packets a message are not enough. records, slots: `rows` of the
    # batch's tables; row: the window's in records. The first packet has qn_ms as its QN, each other the next
    # millisecond. marked: 33 bytes, by point the letter that a check asks for, or 0.
    def encode(
        self,
        records: Buffer,
        slots: Buffer,
        row: int,
        start_s: int,
        plan: Plan,
        qn_ms: int,
        *,
        resent: bool,
        marked: bytes | None = None,
    ) -> list[tuple[str, bytes]] | None: ...
