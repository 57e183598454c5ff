"""The releases that boards are updated with under power cuts: of a run's number, always the same."""

import hashlib
import random
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from firmware import image
from firmware.field.update import release
from firmware.field.update.keys import ReleaseKey

FIRST = 2000  # run 0's; the technician's application has 1000
KEY = ReleaseKey(ec.derive_private_key(7, ec.SECP256R1()))
FILES = 7
FILE_BYTES_MAX = 6000  # of some blocks, and of less than one
BEST_BEFORE_S = 2_000_000_000


def number_of(run: int) -> int:
    """A run's release."""
    return FIRST + run


def application_of(number: int) -> str:
    """The name of a release's application, in hex."""
    return hashlib.sha256(image.index_of(_files(number))).hexdigest()


def written(folder: Path, run: int) -> Path:
    """The release's file, made if it is not there."""
    number = number_of(run)
    path = folder / f"{number}.wlb"
    if not path.exists():
        described = release.described(number, str(run), "unix", BEST_BEFORE_S)
        made = path.with_suffix(f".{random.getrandbits(32):08x}")  # others may make the same at the same time
        made.write_bytes(release.make(_files(number), described, KEY))
        made.replace(path)
    return path


def _files(number: int) -> dict[str, bytes]:
    draw = random.Random(number)
    names = [f"{('terminal', 'protocol', 'boards')[at % 3]}/{at}.mpy" for at in range(FILES)]
    return {name: draw.randbytes(draw.choice((0, 100, draw.randrange(FILE_BYTES_MAX)))) for name in sorted(names)}
