# A folder on a LittleFS whose power can be cut at any operation of its flash; a temporary one on CPython.
import gc


def new_folder() -> str:
    try:
        import vfs
    except ImportError:
        import tempfile

        return tempfile.mkdtemp()
    mount(vfs, Flash(), new=True)
    return "/ram"


def mount(vfs, flash: "Flash", *, new: bool) -> None:  # type: ignore[no-untyped-def]
    try:
        vfs.umount("/ram")
    except OSError:
        gc.collect()  # it was not mounted
    gc.collect()
    if new:
        vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash, mtime=False), "/ram")


class Flash:
    """64 KiB of flash in RAM; after `operations` more it takes nothing, as one without power."""

    def __init__(self) -> None:
        self.blocks = [bytearray(b"\xff" * 4096) for _ in range(16)]
        self.operations = 1000000

    def readblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        buffer[:] = self.blocks[block][offset : offset + len(buffer)]

    def writeblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        if self._powered():
            self.blocks[block][offset : offset + len(buffer)] = buffer

    def ioctl(self, operation: int, argument: int) -> "int | None":
        if operation == 4:
            return len(self.blocks)
        if operation == 5:
            return 4096
        if operation == 6 and self._powered():
            self.blocks[argument][:] = b"\xff" * 4096
        return 0

    def _powered(self) -> bool:
        self.operations -= 1
        return self.operations >= 0
