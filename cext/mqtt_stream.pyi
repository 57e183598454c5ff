# The contract of cext.mqtt_stream; what each part does stands in mqtt_stream.pyx.

from typing import NamedTuple, final

from typing_extensions import Buffer

PACKET_BYTES_MAX: int
NAME_BYTES_MAX: int
READ_BYTES_MAX: int
FAULTS: tuple[tuple[int, str], ...]

class Connack(NamedTuple):
    session_present: bool
    reason: int
    receive_maximum: int
    packet_bytes_max: int
    maximum_qos: int
    keepalive_s: int | None

class Suback(NamedTuple):
    packet_id: int
    reasons: bytes

class Pingresp(NamedTuple): ...

class Disconnect(NamedTuple):
    reason: int

class StreamFault(NamedTuple):
    reason: int  # for our DISCONNECT
    what: str
    offset: int  # the byte of the stream

class Packets(NamedTuple):
    names: list[str]
    topics: list[str]
    payloads: list[bytes]  # cut at payload_bytes_max
    sizes: list[int]  # before that
    packet_ids: list[int]  # 0 at QoS 0
    pubacks: list[tuple[int, int]]  # (packet id, reason)
    controls: list[Connack | Suback | Pingresp | Disconnect]
    fault: StreamFault | None
    more: bool

@final
class Parser:
    def __init__(self, packet_bytes_max: int, topic_bytes_max: int, payload_bytes_max: int, prefix: bytes) -> None: ...
    def feed(self, data: Buffer, count: int) -> Packets: ...

def pubacks(packet_ids: list[int]) -> bytes: ...
def publishes(
    prefix: bytes, messages: dict[int, tuple[str, bytes]], packet_bytes_max: int, dup: bool
) -> tuple[bytes, list[int]]: ...
