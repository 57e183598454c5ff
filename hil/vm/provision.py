"""Write a terminal's files into a flash image, on the VM: micropython provision.py [IMAGE] terminal.json key

IMAGE is WATTLINE_FLASH if it is not given; it is made, with WATTLINE_FLASH_BLOCKS blocks, and formatted if it is not there.
"""

import os
import sys

from boards import base, unix


def main(args: "list[str]") -> None:
    image = args.pop(0) if len(args) > 2 else os.getenv("WATTLINE_FLASH")
    blocks = int(os.getenv("WATTLINE_FLASH_BLOCKS") or unix.BLOCKS)
    base.mount(unix.FileFlash(image, blocks))
    for name, path in zip(("terminal.json", "key"), args):
        with open(path, "rb") as source, open(base.DATA_DIR + "/" + name, "wb") as target:
            target.write(source.read())
    print(image, os.listdir(base.DATA_DIR))


main(sys.argv[1:])
