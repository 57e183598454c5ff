"""What was run: the commit, and the versions of what took part."""

import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from protocol.host import program

UNKNOWN = program.UNKNOWN
_WAIT_S = 10


def commit() -> str:
    """Of the code that runs; "unknown" outside a repository."""
    return program.this().commit


def versions(vm: Path | None = None, broker: Path | None = None) -> dict[str, str]:
    """By name; those of the MicroPython VM and of mosquitto where they took part."""
    found = {
        "wattline": program.this().version,
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
    }
    if vm is not None:
        found["micropython"] = _said([str(vm), "-c", "import sys; print(sys.version)"]) or UNKNOWN
    if broker is not None:
        said = re.search(r"mosquitto version (\S+)", _said([str(broker), "-h"]))
        found["mosquitto"] = said[1] if said else UNKNOWN
    return found


def _said(command: Sequence[str]) -> str:
    """What a command prints; nothing where there is none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_WAIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
