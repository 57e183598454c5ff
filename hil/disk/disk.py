"""The folder of a process that is killed as a power cut would: only what it synced is sure to be there afterwards.

The process runs with `env()`, by which shim.c sees what it writes. `cut` then makes of the folder what such a disk may
hold: all that was synced, and of the rest any part, sector by sector, as a disk that writes in an order of its own.
"""

import hashlib
import os
import random
import shutil
import subprocess
from pathlib import Path

from hil.process import BenchError
from hil.terminal import ROOT

SOURCE = Path(__file__).with_name("shim.c")
BUILT = ROOT / "build" / "disk"
SECTOR_BYTES = 512  # the least that a disk writes as a whole
_FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")


class Disk:
    """A folder, empty or as it is now, which counts as synced."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._durable = Path(f"{self.folder}.durable")
        self._fault, self._slow = Path(f"{self.folder}.fault"), Path(f"{self.folder}.slow")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._settle()

    def env(self, die_at: int | None = None) -> dict[str, str]:
        """What a process needs in its environment. die_at: it kills itself with -9 at its n-th call to the disk."""
        dying = {} if die_at is None else {"WATTLINE_DISK_DIE_AT": str(die_at)}
        return {"LD_PRELOAD": str(shim()), "WATTLINE_DISK": str(self.folder), **dying}

    def cut(self, chance: random.Random) -> None:
        """The power goes and comes back. No process may have a file of the folder open."""
        share = chance.choice([0.0, 0.5, 1.0, chance.random()])  # of what was not synced, and is there all the same
        unsynced = {_number(one): one.read_bytes() for one in _files(self.folder)}
        names = self._unsynced_names() if chance.random() < share else self._synced_names()
        survivors = Path(f"{self.folder}.survivors")
        shutil.rmtree(survivors, ignore_errors=True)
        survivors.mkdir()
        for name, synced in names.items():
            was = synced.read_bytes() if synced.exists() else b""
            number = int(synced.name) if synced.name.isdecimal() else 0
            (survivors / name).parent.mkdir(parents=True, exist_ok=True)
            (survivors / name).write_bytes(_mixed(was, unsynced.get(number, was), share, chance))
        shutil.rmtree(self.folder)
        survivors.rename(self.folder)
        self._settle()

    def fail(self, number: int | None, *, syncs_only: bool = False) -> None:
        """From now on writes, truncations, syncs and new files fail with this errno; None: no longer.

        syncs_only: what could not be synced is forgotten, as by Linux; it must be written again to be synced.
        """
        if number is None:
            self._fault.unlink(missing_ok=True)
            return
        _order(self._fault, f"{number}{'s' if syncs_only else ''}")

    def slow(self, call_ms: int | None) -> None:
        """From now on each of these calls takes so much longer; None: no longer."""
        if call_ms is None:
            self._slow.unlink(missing_ok=True)
        else:
            _order(self._slow, str(call_ms))

    def _unsynced_names(self) -> dict[Path, Path]:
        """By name in the folder as it is now: where its synced content is."""
        return {one.relative_to(self.folder): self._inode(_number(one)) for one in _files(self.folder)}

    def _synced_names(self) -> dict[Path, Path]:
        """Likewise in the folder as it was synced; the content of a file that is gone stands under its name alone."""
        inodes = {_number(one): one for one in _files(self._durable / "inodes")}
        names = self._durable / "names"
        return {one.relative_to(names): inodes.get(_number(one), one) for one in _files(names)}

    def _inode(self, number: int) -> Path:
        return self._durable / "inodes" / str(number)

    def _settle(self) -> None:
        """All that is in the folder is on the disk."""
        shutil.rmtree(self._durable, ignore_errors=True)
        for kind in ("inodes", "names"):
            (self._durable / kind).mkdir(parents=True)
        for one in _files(self.folder):
            inode = self._inode(_number(one))
            name = self._durable / "names" / one.relative_to(self.folder)
            shutil.copyfile(one, inode)
            name.parent.mkdir(parents=True, exist_ok=True)
            os.link(inode, name)


def _order(file: Path, text: str) -> None:
    """For the shim, which reads it whole or not at all."""
    partial = Path(f"{file}.partial")
    partial.write_text(text, encoding="ascii")
    partial.rename(file)


def shim() -> Path:
    """shim.c, compiled. Raises BenchError."""
    source = SOURCE.read_bytes()
    built = BUILT / f"shim-{hashlib.sha256(source).hexdigest()[:16]}.so"
    if not built.exists():
        BUILT.mkdir(parents=True, exist_ok=True)
        partial = BUILT / f"{built.name}.{os.getpid()}"
        done = subprocess.run(
            ["gcc", *_FLAGS, "-o", partial, SOURCE, "-ldl", "-lpthread"], check=False, capture_output=True
        )
        if done.returncode:
            raise BenchError(f"{SOURCE} does not compile / 编译失败: {done.stderr.decode(errors='replace')}")
        partial.rename(built)
    return built


def _mixed(was: bytes, now: bytes, share: float, chance: random.Random) -> bytes:
    """The sectors of a file: of what changed, about this share as it is now; the same for its size."""
    mixed = bytearray(was)
    for at in range(0, len(now), SECTOR_BYTES):
        sector = now[at : at + SECTOR_BYTES]
        if sector != was[at : at + SECTOR_BYTES] and chance.random() < share:
            mixed += bytes(max(0, at + len(sector) - len(mixed)))
            mixed[at : at + len(sector)] = sector
    return bytes(mixed[: len(now)] if len(now) < len(was) and chance.random() < share else mixed)


def _files(folder: Path) -> list[Path]:
    return [one for one in folder.rglob("*") if one.is_file()]


def _number(file: Path) -> int:
    return file.stat().st_ino
