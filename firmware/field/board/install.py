"""Puts the application on a board: what differs is written, what is no part of it any more removed, all compared.

The program's first file goes first and comes last: an application that is half there is never started.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from firmware.field.board.errors import BoardRefusedError
from firmware.field.board.identify import Identity, version_text
from firmware.field.board.link import Link
from firmware.image import AS_IT_IS, files_of

Step = Callable[[str, int, int], None]  # the file's name, bytes done, bytes in all


@dataclass(frozen=True)
class Plan:
    """What differs. put: contents by path on the board, in the order of writing."""

    put: Mapping[str, bytes]
    remove: tuple[str, ...]
    same: int

    @property
    def size(self) -> int:
        """Bytes to write."""
        return sum(map(len, self.put.values()))


def refuse_unfit(found: Identity, board: str, version: tuple[int, int, int], *, cross: bool, older: bool) -> None:
    """Raise BoardRefusedError for another board's image, or an older one, naming the option that would allow it."""
    if found.board != board and not cross:
        raise BoardRefusedError(
            f"this is {found.machine} ({found.board}), the image is {board}'s: `--allow-cross-flash` puts it there all "
            "the same / 映像与板型不符，确需写入请加 `--allow-cross-flash`"
        )
    if found.version and version < found.version and not older:
        raise BoardRefusedError(
            f"the board has {version_text(found.version)}, the image is {version_text(version)}: `--allow-downgrade` "
            "puts the older one there / 板上版本更新，确需降级请加 `--allow-downgrade`"
        )


def plan(link: Link, image: Path) -> Plan:
    """What of the image in a folder (firmware.image.build) is not on the board, and what there is no part of it."""
    wanted = {f"/{path}": data for path, data in files_of(image).items()}
    # what updates brought (`a`, `b`, `slots`) and what else is at the board's root is none of the image's
    there = link.digests(*sorted({"/" + path.split("/")[1] for path in wanted}))
    put = {path: data for path, data in wanted.items() if there.get(path) != hashlib.sha256(data).hexdigest()}
    remove = tuple(sorted(set(there) - set(wanted)))
    main = f"/{AS_IT_IS}"
    same = len(wanted) - len(put)
    if (put or remove) and main in wanted:
        put.pop(main, None)
        put[main] = wanted[main]  # the last
    return Plan(put, remove, same)


def carry_out(link: Link, todo: Plan, image: Path, step: Step) -> None:
    """Make the board's application the image's. Raises BoardError; what was done stays, and `plan` goes on there."""
    if not todo.put and not todo.remove:
        return
    main = f"/{AS_IT_IS}"
    link.run(f"try:\n    os.remove({main!r})\nexcept OSError:\n    pass")
    for path in todo.remove:
        if path != main:
            link.remove(path)
    done = 0
    for path, data in todo.put.items():
        link.write(path, data)
        done += len(data)
        step(path, done, todo.size)
    left = plan(link, image)
    if left.put or left.remove:
        raise BoardRefusedError(
            f"after all was written, {', '.join([*left.put, *left.remove])} differ: worn flash? / "
            "写入后校验不一致，闪存可能已损坏"
        )
