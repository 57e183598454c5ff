"""What goes down to a terminal: acks, requests, configurations, keys (SPEC.md, section 5), updates (UPDATES.md).

How it is opened; host/orders.py seals it.
"""

from collections import namedtuple

from protocol import ack, cbor, frame, limits, mac
from protocol.errors import FrameError

# ranges: [(first, last)], ascending, of records that the gateway wants, acknowledged before or not (FR-38);
# echo: (boot_id, sent_ms) of a frame that the terminal sent a short while ago (FR-39)
Request = namedtuple("Request", ("generation", "epoch", "ranges", "echo"))
# document: the bytes of a JSON text (FR-46); protocol/configuration.py says what may stand in it
Configuration = namedtuple("Configuration", ("generation", "version", "document", "echo"))

# signed: a release's manifest as its maker signed it (update.py); vouched: the newest release's number (FR-82)
Offer = namedtuple("Offer", ("generation", "vouched", "signed", "echo"))
# content: of the payload of the release of that number, from `offset` on (FR-83)
Chunk = namedtuple("Chunk", ("generation", "number", "offset", "content", "echo"))
# the release of that number is not to be finished (FR-84)
Abort = namedtuple("Abort", ("generation", "number", "echo"))

# another key is to be agreed on, of generation `offered`; point: the gateway's, for this once (FR-91)
KeyOffer = namedtuple("KeyOffer", ("generation", "offered", "point", "echo"))
# the key that this is sealed with is to be used from now on (FR-93)
KeyUse = namedtuple("KeyUse", ("generation", "echo"))
# document: certificates, DER, the terminal's own and then its authorities' (FR-95)
Certificates = namedtuple("Certificates", ("generation", "version", "document", "echo"))


def open_down(
    data: bytes, terminal: str, keys: "dict[int, mac.Key]"
) -> "ack.Ack | Request | Configuration | Offer | Chunk | Abort | KeyOffer | KeyUse | Certificates":
    """What these bytes tell the terminal, authenticated and checked. Raises FrameError."""
    reader, generation = frame.authenticate(data, terminal, limits.DOWN, keys)
    return read_down(reader, generation)


def read_down(
    reader: cbor.Reader, generation: int
) -> "ack.Ack | Request | Configuration | Offer | Chunk | Abort | KeyOffer | KeyUse | Certificates":
    """The content of a payload that goes down, to its end. Raises FrameError; `kind` if it is one of a newer text."""
    count = reader.array(2, limits.UINT32_MAX)
    counted_at = reader.item_at
    reader.uint(limits.VERSION)
    kind = reader.uint(limits.VERSION_MAX)
    if kind not in _KINDS:
        raise reader.fail("kind")
    items, read = _KINDS[kind]
    if count != items:
        raise FrameError("count", counted_at)
    found: "ack.Ack | Request | Configuration | Offer | Chunk | Abort | KeyOffer | KeyUse | Certificates" = read(
        reader, generation
    )  # type: ignore[assignment]
    reader.done()
    return found


def _read_request(reader: cbor.Reader, generation: int) -> Request:
    epoch = reader.uint(limits.UINT32_MAX)
    ranges = ack.read_ranges(reader, 1, 2)
    return Request(generation, epoch, ranges, ack.read_echo(reader))


def _read_configuration(reader: cbor.Reader, generation: int) -> Configuration:
    return Configuration(generation, *_read_numbered(reader))


def _read_certificates(reader: cbor.Reader, generation: int) -> Certificates:
    return Certificates(generation, *_read_numbered(reader))


def _read_numbered(reader: cbor.Reader) -> "tuple[int, bytes, tuple[int, int]]":
    version = _positive(reader, limits.UINT32_MAX)
    begin, end = reader.bstr(limits.DOCUMENT_BYTES_MIN, limits.DOCUMENT_BYTES_MAX)
    return version, bytes(reader.data[begin:end]), ack.read_echo(reader)


def _read_key_offer(reader: cbor.Reader, generation: int) -> KeyOffer:
    offered = _positive(reader, limits.GENERATION_MAX)
    begin, end = reader.bstr(limits.POINT_BYTES, limits.POINT_BYTES)
    return KeyOffer(generation, offered, bytes(reader.data[begin:end]), ack.read_echo(reader))


def _read_key_use(reader: cbor.Reader, generation: int) -> KeyUse:
    return KeyUse(generation, ack.read_echo(reader))


def _read_offer(reader: cbor.Reader, generation: int) -> Offer:
    vouched = reader.uint(limits.UINT32_MAX)
    signed = _content(reader, limits.SIGNED_BYTES_MAX)
    return Offer(generation, vouched, signed, ack.read_echo(reader))


def _read_chunk(reader: cbor.Reader, generation: int) -> Chunk:
    number = reader.uint(limits.UINT32_MAX)
    offset = reader.uint(limits.UINT32_MAX)
    content = _content(reader, limits.CHUNK_BYTES_MAX)
    return Chunk(generation, number, offset, content, ack.read_echo(reader))


def _read_abort(reader: cbor.Reader, generation: int) -> Abort:
    return Abort(generation, reader.uint(limits.UINT32_MAX), ack.read_echo(reader))


def _positive(reader: cbor.Reader, maximum: int) -> int:
    found = reader.uint(maximum)
    if found == 0:
        raise reader.fail("range")
    return found


def _content(reader: cbor.Reader, maximum: int) -> bytes:
    begin, end = reader.bstr(1, maximum)
    return bytes(reader.data[begin:end])


_KINDS = {  # kind: (items of the payload, what reads those behind the kind)
    limits.ACK: (7, ack.read_ack),
    limits.REQUEST: (5, _read_request),
    limits.CONFIGURATION: (5, _read_configuration),
    limits.OFFER: (5, _read_offer),
    limits.CHUNK: (6, _read_chunk),
    limits.ABORT: (4, _read_abort),
    limits.KEY_OFFER: (5, _read_key_offer),
    limits.KEY_USE: (3, _read_key_use),
    limits.CERTIFICATES: (5, _read_certificates),
}
