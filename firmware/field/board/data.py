"""The terminal's data on a board: a file system of its own, which the root does not know of until it is mounted."""

from __future__ import annotations

from firmware.field.board.link import Link

_CLEAR_S = 60.0  # 8 MiB of segments; LittleFS erases when it writes
_MOUNT = """
import boards
from boards import base
try:
    boards.mount_data()
except OSError:
    os.listdir(base.DATA_DIR)
print(base.DATA_DIR)
"""
_CLEAR = """
def clear(folder):
    for entry in list(os.ilistdir(folder)):
        path = folder + "/" + entry[0]
        if entry[1] & 0x4000:
            clear(path)
            os.rmdir(path)
        else:
            os.remove(path)
        feed()
clear({folder!r})
"""


def mounted(link: Link) -> str:
    """The data's folder, mounted; formatted, if nothing was ever stored. Raises BoardError."""
    return link.run(_MOUNT).decode().split()[-1]


def clear(link: Link, folder: str) -> None:
    """Remove all that is in a folder of the board. Raises BoardError."""
    link.run(_CLEAR.format(folder=folder), _CLEAR_S)
