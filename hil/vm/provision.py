"""Write a terminal's files into a flash image, under their own names, on the VM: micropython provision.py FILE ...

The image is WATTLINE_FLASH; if it is not there, it is made, with WATTLINE_FLASH_BLOCKS blocks.
"""

import os
import sys

from boards import base, unix


def main(args: "list[str]") -> None:
    blocks = int(os.getenv("WATTLINE_FLASH_BLOCKS") or unix.BLOCKS)
    base.mount(unix.FileFlash(os.getenv("WATTLINE_FLASH") or "flash.img", blocks))
    for path in args:
        name = path.rsplit("/", 1)[-1]
        with open(path, "rb") as source, open(base.DATA_DIR + "/" + name, "wb") as target:
            target.write(source.read())
    print(os.listdir(base.DATA_DIR))


main(sys.argv[1:])
