"""A Debian that has nothing of ours, in a folder (deploy/setup/root.sh makes it), and what is installed in it."""

import subprocess
import sys
from pathlib import Path

from tests.gateway.support import ROOT

IMAGE = ROOT / "build/root/root.tar"
WHEELS = ROOT / "build/wheels"
TIMEOUT_S = 300.0  # dpkg writes 130 MB on a busy machine


class CleanRoot:
    """It, unpacked in a folder."""

    def __init__(self, folder: Path) -> None:
        assert IMAGE.exists(), f"{IMAGE} is not there: run `make build/stamp/root`"
        self.folder = folder
        folder.mkdir()
        subprocess.run(["tar", "-xf", str(IMAGE), "-C", str(folder)], check=True, timeout=TIMEOUT_S)

    def command(self, *words: str) -> list[str]:
        """What runs these words in it, as its root."""
        within = [str(ROOT / "deploy/setup/in_root.sh"), str(ROOT / "build/root/tools/proot"), str(self.folder)]
        return [*within, *words]

    def run(self, *words: str, status: int = 0) -> str:
        """What it says, if it ends with this status."""
        done = subprocess.run(
            self.command(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False, timeout=TIMEOUT_S,
        )  # fmt: skip
        assert done.returncode == status, f"{words} ended with {done.returncode}: {done.stdout}"
        return done.stdout

    def take(self, file: Path) -> str:
        """Copy a file to its top; returns its name there."""
        (self.folder / file.name).write_bytes(file.read_bytes())
        return f"/{file.name}"


def make_dist(folder: Path) -> None:
    """All that `make dist` makes, in the folder."""
    assert WHEELS.exists(), f"{WHEELS} is not there: run `make build/stamp/wheels`"
    done = subprocess.run(
        [str(ROOT / "deploy/package/dist.sh"), sys.executable, str(folder), str(WHEELS)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def only(folder: Path, pattern: str) -> Path:
    """The one file of such a name."""
    (found,) = folder.glob(pattern)
    return found
