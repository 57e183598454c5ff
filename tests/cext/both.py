"""One frame through both decoders; every failure prints what replays it."""

from collections.abc import Mapping, Sequence
from typing import Any

from cext import decoder
from protocol import frame, limits, mac
from protocol.errors import FrameError

SECRET = bytes(range(32))
TERMINAL = "T0001"
KEY = mac.Key(SECRET, 1)
PYTHON_KEYS = {1: KEY}
STATES = {1: decoder.KeyState(SECRET)}


def by_python(data: bytes, terminal: str = TERMINAL, keys: Mapping[int, mac.Key] = PYTHON_KEYS) -> tuple[Any, ...]:
    """The frame, or (reason, offset)."""
    try:
        return frame.open_frame(data, terminal, dict(keys))
    except FrameError as error:
        return (error.reason, error.offset)


def expect_same(frames: Sequence[bytes]) -> list[decoder.Frame | decoder.Refusal]:
    """Both decoders say the same of each; returns what they say."""
    got = decoder.decode_batch(frames, [TERMINAL] * len(frames), [STATES] * len(frames))
    for data, one in zip(frames, got, strict=True):
        wanted = by_python(data)
        assert one == wanted, f"replay: by_python(bytes.fromhex('{data.hex()}'))\n python: {wanted}\n cext: {one}"
        assert isinstance(one, decoder.Frame) == isinstance(wanted, frame.Frame), data.hex()
    return got


def reseal(payload: bytes) -> bytes:
    """A frame around any payload, with a tag that is right: what lies behind the tag is reached."""
    return mac.seal(KEY, mac.external_aad(TERMINAL, limits.UP, limits.VERSION), payload)


def payload_of(data: bytes) -> bytes:
    """The payload of a frame that is well-formed."""
    envelope = mac.Envelope(data)
    return data[envelope.payload_at : envelope.payload_end]
