"""Which program this is: one version and one commit, whatever says them.

A checkout asks git. What `make dist` makes has build.json beside this file, written when it was made.
"""

import os
import re
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

UNKNOWN = "unknown"
BUILD_FILE = Path(__file__).parent / "build.json"
_ROOT = Path(__file__).parents[2]
_WAIT_S = 10  # git on a slow disk


class Program(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """version: of pyproject.toml. commit: its short hash, "unknown" where nobody wrote it down.

    committed_s: Unix seconds of the commit, None likewise. changed: the tree had more than the commit has.
    """

    version: str
    commit: str = UNKNOWN
    committed_s: int | None = None
    changed: bool = False

    def text(self) -> str:
        """For a person: 0.1.0 (12cef59)."""
        return f"{self.version} ({self.commit}{', changed' if self.changed else ''})"


@cache
def this() -> Program:
    """The program that runs. Raises msgspec.ValidationError, OSError where build.json is not ours."""
    if BUILD_FILE.exists():
        return msgspec.json.decode(BUILD_FILE.read_bytes(), type=Program)
    return _of_checkout(_ROOT) if (_ROOT / ".git").exists() else Program(_installed())


def built_s() -> int | None:
    """Unix seconds that what is made bears: SOURCE_DATE_EPOCH (reproducible-builds.org), or the commit's.

    None: neither. Raises ValueError where SOURCE_DATE_EPOCH is no number of seconds.
    """
    told = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not told:
        return this().committed_s
    if not re.fullmatch(r"[0-9]{10}", told):
        raise ValueError(f"SOURCE_DATE_EPOCH: {told!r}: Unix seconds, ten digits / 应为十位秒数")
    return int(told)


def _of_checkout(root: Path) -> Program:
    commit, _, seconds = _git(root, "log", "-1", "--format=%h %ct").partition(" ")
    if not commit:
        return Program(_installed())
    changed = _git(root, "status", "--porcelain")
    return Program(_installed(), commit, int(seconds), bool(changed))


def _installed() -> str:
    try:
        return version("wattline")
    except PackageNotFoundError:
        return UNKNOWN


def _git(root: Path, *words: str) -> str:
    """What git prints; nothing where it can't."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=_WAIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
