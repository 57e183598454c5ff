"""Frames: records on their way up (SPEC.md, section 3)."""

from collections import namedtuple

from protocol import cbor, limits, mac, record
from protocol.errors import FrameError

# sent_ms: the terminal's uptime when the frame was sealed; the ack echoes (boot_id, sent_ms) (FR-36)
Frame = namedtuple("Frame", ("generation", "epoch", "boot_id", "sent_ms", "records"))


def seal_frame(key: mac.Key, terminal: str, epoch: int, boot_id: int, sent_ms: int, records: "list[bytes]") -> bytes:
    """The authenticated frame of encoded records of one epoch. Raises ValueError where it would pass a bound."""
    if not 1 <= len(records) <= limits.RECORDS_MAX:
        raise ValueError("a frame has 1 to %d records" % limits.RECORDS_MAX)
    payload = cbor.array(
        [
            cbor.integer(limits.VERSION),
            cbor.integer(epoch),
            cbor.integer(boot_id),
            cbor.integer(sent_ms),
            cbor.array(records),
        ]
    )
    return mac.seal(key, mac.external_aad(terminal, limits.UP, limits.VERSION), payload)


def open_frame(data: bytes, terminal: str, keys: "dict[int, mac.Key]") -> Frame:
    """The frame in these bytes, authenticated and checked. `keys`: generation to Key. Raises FrameError."""
    reader, generation = authenticate(data, terminal, limits.UP, keys)
    return read_frame(reader, generation)


def read_frame(reader: cbor.Reader, generation: int) -> Frame:
    """The content of a payload that goes up, to its end. Raises FrameError."""
    reader.array(5, 5)
    reader.uint(limits.VERSION)
    epoch = reader.uint(limits.UINT32_MAX)
    boot_id = reader.uint(limits.UINT32_MAX)
    sent_ms = reader.uint(limits.UPTIME_MS_MAX)
    count = reader.array(1, limits.RECORDS_MAX)
    records = [record.read_record(reader) for _ in range(count)]
    reader.done()
    return Frame(generation, epoch, boot_id, sent_ms, records)


def authenticate(data: bytes, terminal: str, direction: int, keys: "dict[int, mac.Key]") -> "tuple[cbor.Reader, int]":
    """A reader over the payload, once size, structure, version, key and MAC are found good, in this order (FR-14)."""
    envelope = mac.Envelope(data)
    expect_version(payload_reader(envelope))
    key = keys.get(envelope.generation)
    if key is None:
        raise FrameError("kid", envelope.kid_at)
    envelope.verify(key, mac.external_aad(terminal, direction, limits.VERSION))
    return payload_reader(envelope), envelope.generation


def payload_reader(envelope: mac.Envelope) -> cbor.Reader:
    """A reader over an envelope's payload, at its beginning."""
    return cbor.Reader(envelope.data, envelope.payload_at, envelope.payload_end, "ends_early")


def expect_version(reader: cbor.Reader) -> None:
    """Raise FrameError `version` unless the payload is an array that begins with this version (FR-15)."""
    reader.array(1, limits.UINT32_MAX)
    if reader.uint(limits.VERSION_MAX) != limits.VERSION:
        raise reader.fail("version")
