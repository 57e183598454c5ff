"""Frames that no gateway may take: of terminals that are not admitted, forged, cut, too long, bombs."""

import itertools
import random
from collections.abc import Iterator

from hil.benchmarks import realistic
from protocol import frame, mac, record

_FORGER = mac.Key(b"forger's own secret of 32 bytes!", 1)


def bad_frames(seed: int, victim: str) -> Iterator[tuple[str, bytes]]:
    """(terminal, frame) without end: of unknown names, each under one of its own or all under one; and of `victim`."""
    chance = random.Random(seed)
    raw = record.encode_window(1, realistic.window(chance))
    for number in itertools.count():
        forged = frame.seal_frame(_FORGER, victim, 7, 1, number, [raw])
        yield from (
            (f"U{chance.randrange(1 << 30):08x}", forged),
            ("U00000000", forged),
            (victim, forged),
            (victim, forged[: chance.randrange(len(forged))]),
            (victim, forged + bytes(4096)),
            (victim, b"\x81" * 4000),
            (victim, b"\xd1\x84\x46\xa2\x01\x05\x04\x41\x01\xa0\x5b" + b"\xff" * 8),
            (victim, chance.randbytes(chance.randrange(1, 2000))),
        )
