"""Reads which applications a board's root file system has, on the VM: micropython update_dump.py IMAGE [write]

A JSON object: {"active", "good", "newest", "applications"}, numbers of releases, and the name of each application that
is whole, by number; null for one that is not. With `write` a file is written and read at last: {"writable"}.
"""

import binascii
import hashlib
import json
import sys

from boards import base, unix
from loader import slots
from terminal import small_file, update_slot

from protocol import update

PREFIX = "/code/"
ROOT_NUMBER = 1000
ROOT_FILES = {"terminal/app.mpy": b"root" * 800, "profiles/a.json": b"{}"}  # and its index, in the place of a real one
ROOT_FILES["index"] = update.encode_index(
    [update.File(path, len(data), hashlib.sha256(data).digest()) for path, data in sorted(ROOT_FILES.items())]
)


def number_of(found: slots.Slots, slot: int) -> int:
    """The number of the release in a slot."""
    number: int = found._numbers[slot]  # noqa: SLF001  nobody else asks for it
    return number


def application(folder: str) -> "str | None":
    """The name of the application in a folder, if it is whole."""
    name = update_slot.application_of(folder)
    try:
        for _ in update_slot.check_steps(folder, name or b""):
            pass
    except (OSError, update.UpdateError):
        return None
    return binascii.hexlify(name or b"").decode()


def main(image: str, *, write: bool) -> None:
    """Print it."""
    base.mount(unix.FileFlash(image), PREFIX[:-1])
    found = slots.Slots(PREFIX, ROOT_NUMBER)
    all_of_them = {}
    for slot in (slots.ROOT, found.good, found.active):
        all_of_them[str(number_of(found, slot))] = application(found.folder(slot))
    told: "dict[str, object]" = {
        "active": found.number,
        "good": number_of(found, found.good),
        "newest": found.newest,
        "applications": all_of_them,
    }
    if write:
        small_file.write(PREFIX + "written", b"this")
        told["writable"] = small_file.read(PREFIX + "written") == b"this"
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], write=sys.argv[2:] == ["write"])
