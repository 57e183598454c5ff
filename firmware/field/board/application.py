"""Which files go onto a board: those of a named folder, or that came with this program, or made of its source."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from firmware import DEVICE, image, image_manifest

PACKED = DEVICE.parent / "images"  # an installed package may have a folder a board there


class Application(NamedTuple):
    """An image's folder (firmware.image) of this program's version."""

    folder: Path
    version: tuple[int, int, int]


@contextmanager
def of_board(board: str, given: Path | None) -> Iterator[Application]:
    """The application for a board; given: a folder of `make firmware`. Raises ImageError, OSError."""
    version = image.version_here()
    folder = given or (PACKED / board if (PACKED / board).is_dir() else None)
    if folder is not None:
        image_manifest.refuse_unfit(image_manifest.read(folder), folder, board, version)
        yield Application(folder, version)
        return
    with tempfile.TemporaryDirectory() as made:
        image.build(board, Path(made), version, image.built_here_s())
        yield Application(Path(made), version)
