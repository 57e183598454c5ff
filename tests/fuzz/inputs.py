"""What a fuzzed input means, and where inputs are kept: one a line, in hex, in corpus/inputs.txt."""

from pathlib import Path

from protocol import limits
from tests.cext.both import expect_same, reseal

CORPUS = Path(__file__).parent / "corpus" / "inputs.txt"
PAYLOAD = b"p"  # an input's first byte: the rest is a payload, to be sealed with the right key ...
FRAME = b"f"  # ... or a frame, as it is
PAYLOAD_BYTES_MAX = limits.FRAME_BYTES_MAX - 64  # with envelope and tag it fits a frame


def kept() -> list[bytes]:
    """The corpus."""
    return [bytes.fromhex(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]


def keep(inputs: set[bytes]) -> None:
    """Write the corpus, the shortest first."""
    lines = [one.hex() for one in sorted(inputs, key=lambda one: (len(one), one))]
    CORPUS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def frame_of(data: bytes) -> bytes:
    """The frame that an input means. A payload is sealed, so that what lies behind the tag is reached."""
    return reseal(data[1 : PAYLOAD_BYTES_MAX + 1]) if data[:1] == PAYLOAD else data[1:]


def try_one(data: bytes) -> None:
    """AssertionError unless Python codec, tuples and columns say the same of it."""
    expect_same([frame_of(data)])
