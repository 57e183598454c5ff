"""Acks: what the gateway holds durably, on its way down (SPEC.md, section 5). `down.open_down` reads them."""

from collections import namedtuple

from protocol import cbor, limits, mac

# why a record is refused for good (FR-33): the terminal frees it, the gateway keeps it in quarantine
REFUSED_CONFLICT = 1  # another record with this identity is durable
REFUSED_CONTENT = 2  # a check of severity "refuse" failed
REFUSED_POINTS = 3  # a point that the gateway does not know

# durable: [(first, last)]; refused: [(first, last, reason)]; both ascending; time_ms: the gateway's Unix time;
# echo: (boot_id, sent_ms) of the frame answered, or None
Ack = namedtuple("Ack", ("generation", "epoch", "durable", "refused", "time_ms", "echo"))


def seal_ack(
    key: mac.Key,
    terminal: str,
    epoch: int,
    durable: "list[tuple[int, int]]",
    refused: "list[tuple[int, int, int]]",
    time_ms: int,
    echo: "tuple[int, int] | None",
) -> bytes:
    """The authenticated ack. Raises ValueError where it would pass a bound."""
    if len(durable) > limits.ACK_RANGES_MAX or len(refused) > limits.ACK_RANGES_MAX:
        raise ValueError("an ack has at most %d ranges of each kind" % limits.ACK_RANGES_MAX)
    payload = cbor.array(
        [
            cbor.integer(limits.VERSION),
            cbor.integer(limits.ACK),
            cbor.integer(epoch),
            cbor.array([cbor.integers(one) for one in durable]),
            cbor.array([cbor.integers(one) for one in refused]),
            cbor.integer(time_ms),
            b"\xf6" if echo is None else cbor.integers(echo),
        ]
    )
    return mac.seal(key, mac.external_aad(terminal, limits.DOWN, limits.VERSION), payload)


def read_ack(reader: cbor.Reader, generation: int) -> Ack:
    """What follows an ack's kind. Raises FrameError."""
    epoch = reader.uint(limits.UINT32_MAX)
    durable = read_ranges(reader, 0, 2)
    refused = read_ranges(reader, 0, 3)
    time_ms = reader.uint(limits.TIME_MS_MAX)
    echo = None if reader.null() else read_echo(reader)
    return Ack(generation, epoch, durable, refused, time_ms, echo)


def read_echo(reader: cbor.Reader) -> "tuple[int, int]":
    """(boot_id, sent_ms) of a frame."""
    reader.array(2, 2)
    return reader.uint(limits.UINT32_MAX), reader.uint(limits.UPTIME_MS_MAX)


def read_ranges(reader: cbor.Reader, minimum: int, items: int) -> "list[tuple[int, ...]]":
    """At least `minimum` ranges of 2 items, or of 3 with a reason, in ascending order and without overlap (FR-34)."""
    ranges = []
    beyond = -1  # the last number of the range before
    for _ in range(reader.array(minimum, limits.ACK_RANGES_MAX)):
        reader.array(items, items)
        first = reader.uint(limits.UINT32_MAX)
        if first <= beyond:
            raise reader.fail("not_canonical")
        last = reader.uint(limits.UINT32_MAX)
        if last < first:
            raise reader.fail("range")
        beyond = last
        one = (first, last)
        if items == 3:
            reason = reader.uint(limits.REFUSAL_MAX)
            if reason == 0:
                raise reader.fail("range")
            one += (reason,)  # type: ignore[assignment]
        ranges.append(one)
    return ranges  # type: ignore[return-value]
