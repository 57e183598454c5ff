"""What goes down to a terminal: acks, requests for records, configurations (SPEC.md, section 5)."""

from collections import namedtuple

from protocol import ack, cbor, frame, limits, mac
from protocol.errors import FrameError

# ranges: [(first, last)], ascending, of records that the gateway wants, acknowledged before or not (FR-38);
# echo: (boot_id, sent_ms) of a frame that the terminal sent a short while ago (FR-39)
Request = namedtuple("Request", ("generation", "epoch", "ranges", "echo"))
# document: the bytes of a JSON text (FR-46); protocol/configuration.py says what may stand in it
Configuration = namedtuple("Configuration", ("generation", "version", "document", "echo"))


def seal_request(
    key: mac.Key, terminal: str, epoch: int, ranges: "list[tuple[int, int]]", echo: "tuple[int, int]"
) -> bytes:
    """The authenticated request. Raises ValueError where it would pass a bound."""
    return _seal(key, terminal, request_payload(epoch, ranges, echo))


def seal_configuration(key: mac.Key, terminal: str, version: int, document: bytes, echo: "tuple[int, int]") -> bytes:
    """The authenticated configuration. Raises ValueError where it would pass a bound."""
    return _seal(key, terminal, configuration_payload(version, document, echo))


def request_payload(epoch: int, ranges: "list[tuple[int, int]]", echo: "tuple[int, int]") -> bytes:
    """What is sealed of a request. Raises ValueError where it would pass a bound."""
    if not 1 <= len(ranges) <= limits.ACK_RANGES_MAX:
        raise ValueError("a request has 1 to %d ranges" % limits.ACK_RANGES_MAX)
    wanted = cbor.array([cbor.integers(one) for one in ranges])
    return cbor.array(_head(limits.REQUEST) + [cbor.integer(epoch), wanted, cbor.integers(echo)])


def configuration_payload(version: int, document: bytes, echo: "tuple[int, int]") -> bytes:
    """What is sealed of a configuration. Raises ValueError where it would pass a bound."""
    if not 1 <= version <= limits.UINT32_MAX:
        raise ValueError("a configuration's version is 1 to %d" % limits.UINT32_MAX)
    if not limits.DOCUMENT_BYTES_MIN <= len(document) <= limits.DOCUMENT_BYTES_MAX:
        raise ValueError("a configuration of %d bytes: at most %d" % (len(document), limits.DOCUMENT_BYTES_MAX))
    return cbor.array(_head(limits.CONFIGURATION) + [cbor.integer(version), cbor.bstr(document), cbor.integers(echo)])


def open_down(data: bytes, terminal: str, keys: "dict[int, mac.Key]") -> "ack.Ack | Request | Configuration":
    """What these bytes tell the terminal, authenticated and checked. Raises FrameError."""
    reader, generation = frame.authenticate(data, terminal, limits.DOWN, keys)
    return read_down(reader, generation)


def read_down(reader: cbor.Reader, generation: int) -> "ack.Ack | Request | Configuration":
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
    found: "ack.Ack | Request | Configuration" = read(reader, generation)  # type: ignore[assignment]
    reader.done()
    return found


def _read_request(reader: cbor.Reader, generation: int) -> Request:
    epoch = reader.uint(limits.UINT32_MAX)
    ranges = ack.read_ranges(reader, 1, 2)
    return Request(generation, epoch, ranges, ack.read_echo(reader))


def _read_configuration(reader: cbor.Reader, generation: int) -> Configuration:
    version = reader.uint(limits.UINT32_MAX)
    if version == 0:
        raise reader.fail("range")
    begin, end = reader.bstr(limits.DOCUMENT_BYTES_MIN, limits.DOCUMENT_BYTES_MAX)
    return Configuration(generation, version, bytes(reader.data[begin:end]), ack.read_echo(reader))


_KINDS = {  # kind: (items of the payload, what reads those behind the kind)
    limits.ACK: (7, ack.read_ack),
    limits.REQUEST: (5, _read_request),
    limits.CONFIGURATION: (5, _read_configuration),
}


def _head(kind: int) -> "list[bytes]":
    return [cbor.integer(limits.VERSION), cbor.integer(kind)]


def _seal(key: mac.Key, terminal: str, payload: bytes) -> bytes:
    return mac.seal(key, mac.external_aad(terminal, limits.DOWN, limits.VERSION), payload)
