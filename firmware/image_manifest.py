"""What an image's folder says of itself when it is handed on: for which board, which version, which bytes.

It lies in the folder as image.json, and never on a board. `wattline field image` makes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from firmware import image
from firmware.image import ImageError

_BYTES_MAX = 256 * 1024  # a hundred files take 12 KB
_SHOWN_MAX = 3  # of the files that are wrong


class Manifest(NamedTuple):
    """files: SHA-256, in hex, by path."""

    board: str
    version: tuple[int, int, int]
    built_s: int
    files: Mapping[str, str]


def write(folder: Path, board: str, version: tuple[int, int, int], built_s: int) -> None:
    """Lay the manifest into an image's folder. Raises OSError."""
    found = Manifest(board, version, built_s, _digests(folder))
    text = json.dumps(found._asdict(), indent=1) + "\n"
    (folder / image.MANIFEST).write_text(text, encoding="utf-8", newline="\n")


def read(folder: Path) -> Manifest:
    """The manifest of a folder, whose files are all as it says. Raises ImageError."""
    path = folder / image.MANIFEST
    try:
        found, there = _parsed(path), _digests(folder)
    except OSError as error:
        raise ImageError(
            f"{error.filename or path}: can't be read: --image names a folder that `make firmware` made, such as "
            "build/firmware/esp32s3 / 无法读取：--image 应为 make firmware 生成的目录"
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise ImageError(f"{path}: no manifest of an image: copy the folder anew / 清单损坏，请重新复制目录") from error
    if wrong := sorted(one for one in {*found.files, *there} if found.files.get(one) != there.get(one)):
        raise ImageError(
            f"{folder}: {', '.join(wrong[:_SHOWN_MAX])}: not as {image.MANIFEST} says: copy the folder anew / "
            "文件与清单不一致，请重新复制目录"
        )
    return found


def refuse_unfit(found: Manifest, folder: Path, board: str, version: tuple[int, int, int]) -> None:
    """Raise ImageError for the image of another board, or of another version than this program's."""
    if found.board != board:
        raise ImageError(
            f"{folder}: the image of {found.board}, the board is {board}: take the folder {board} beside it / "
            f"该映像用于 {found.board}，板型为 {board}，请改用同级目录 {board}"
        )
    if found.version != version:
        theirs, ours = (".".join(map(str, one)) for one in (found.version, version))
        raise ImageError(
            f"{folder}: version {theirs}, this program is {ours}: take the folder of {ours}, or install wattline "
            f"{theirs} on this laptop / 映像版本 {theirs}，本程序 {ours}：请换用 {ours} 的目录或安装 wattline {theirs}"
        )


def _parsed(path: Path) -> Manifest:
    """Raises OSError; ValueError, TypeError, KeyError for what `write` did not make."""
    with path.open("rb") as file:
        found = json.loads(file.read(_BYTES_MAX))
    one, two, three = map(int, found["version"])
    return Manifest(str(found["board"]), (one, two, three), int(found["built_s"]), dict(found["files"]))


def _digests(folder: Path) -> dict[str, str]:
    return {path: hashlib.sha256(data).hexdigest() for path, data in image.files_of(folder).items()}
