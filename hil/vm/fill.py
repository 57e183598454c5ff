"""Fill what is left of a flash image's file system, on the VM: micropython fill.py IMAGE. Prints how much it took.

As blocks that have gone bad do it: what is there can be read, and nothing more is taken.
"""

import sys

from boards import base, unix

_PIECE_BYTES = 512


def main(image: str) -> None:
    """To the last block that the file system gives."""
    base.mount(unix.FileFlash(image))
    taken = 0
    with open(base.DATA_DIR + "/filler", "wb") as file:
        try:
            while True:
                file.write(b"f" * _PIECE_BYTES)
                file.flush()
                taken += _PIECE_BYTES
        except OSError as error:
            print(taken, "bytes, then", error)


main(sys.argv[1])
