"""Write a terminal's files into a flash image, on the VM: micropython provision.py [IMAGE] terminal.json key

IMAGE is WATTLINE_FLASH if it is not given; if it is not there, it is made, with WATTLINE_FLASH_BLOCKS blocks.
"""

import os
import sys

from boards import base, unix


def main(args: "list[str]") -> None:
    image = args.pop(0) if len(args) > 2 else os.getenv("WATTLINE_FLASH") or "flash.img"
    blocks = int(os.getenv("WATTLINE_FLASH_BLOCKS") or unix.BLOCKS)
    base.mount(unix.FileFlash(image, blocks))
    for name, path in (("terminal.json", args[0]), ("key", args[1])):
        with open(path, "rb") as source, open(base.DATA_DIR + "/" + name, "wb") as target:
            target.write(source.read())
    print(image, os.listdir(base.DATA_DIR))


main(sys.argv[1:])
