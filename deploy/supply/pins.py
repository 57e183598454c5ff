"""The pins of `make lock`: what is installed, to the byte."""

import re
from pathlib import Path
from typing import NamedTuple

SETUP = Path(__file__).parents[1] / "setup"
LOCK = SETUP / "requirements.lock"
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^ ;\\]+)")
_HASH = re.compile(r"--hash=sha256:(?P<digest>[0-9a-f]{64})")


class Pin(NamedTuple):
    """name: normalized (PEP 503). hashes: SHA-256 of each file that may be installed, in hexadecimal."""

    name: str
    version: str
    hashes: tuple[str, ...]


def locks() -> list[Path]:
    """Every lock file of the project, this one's first."""
    return [LOCK, *sorted(path for path in SETUP.glob("*.lock") if path != LOCK)]


def pins_of(path: Path) -> list[Pin]:
    """What a lock file pins, as written by `uv pip compile --generate-hashes`.

    Raises ValueError for a pin without a hash, and for a file without pins; OSError.
    """
    found: list[tuple[str, str, list[str]]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if pin := _PIN.match(line):
            found.append((normalized(pin["name"]), pin["version"], []))
        if digest := _HASH.search(line):
            if not found:
                raise ValueError(f"{path}: a hash before the first pin")
            found[-1][2].append(digest["digest"])
    bare = [f"{name}=={version}" for name, version, hashes in found if not hashes]
    if bare or not found:
        raise ValueError(f"{path}: {', '.join(bare) or 'nothing'} pinned by hash: run make lock")
    return [Pin(name, version, tuple(hashes)) for name, version, hashes in found]


def normalized(name: str) -> str:
    """A package's name as indexes write it. PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()
