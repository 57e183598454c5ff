# A folder on a LittleFS whose power can be cut at any operation of its flash; a temporary one on CPython.
import gc

from tests.vm.folders import RamFlash


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


class Flash(RamFlash):
    """64 KiB; after `operations` more it takes nothing, as one without power."""

    def __init__(self) -> None:
        super().__init__(16)
        self.operations = 1000000

    def writeblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        if self._powered():
            super().writeblocks(block, buffer, offset)

    def ioctl(self, operation: int, argument: int) -> "int | None":
        if operation == 6 and not self._powered():
            return 0
        return super().ioctl(operation, argument)

    def _powered(self) -> bool:
        self.operations -= 1
        return self.operations >= 0
