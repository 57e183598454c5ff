# A folder for a log: on a LittleFS in RAM on MicroPython, a temporary one on CPython. And what puts it back.
import gc
import os


class RamFlash:
    """Flash in RAM, 4 KiB a block."""

    def __init__(self, blocks: int) -> None:
        self.blocks = [bytearray(b"\xff" * 4096) for _ in range(blocks)]

    def readblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        buffer[:] = self.blocks[block][offset : offset + len(buffer)]

    def writeblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        self.blocks[block][offset : offset + len(buffer)] = buffer

    def ioctl(self, operation: int, argument: int) -> "int | None":
        if operation == 4:
            return len(self.blocks)
        if operation == 5:
            return 4096
        if operation == 6:
            self.blocks[argument][:] = b"\xff" * 4096
        return 0


def new_folder(blocks: int = 64) -> str:
    """A folder that is not there yet, on an empty file system. Files of the one before must be closed."""
    try:
        import vfs
    except ImportError:
        import tempfile

        return tempfile.mkdtemp() + "/log"
    gc.collect()
    flash = RamFlash(blocks)
    vfs.VfsLfs2.mkfs(flash)
    try:
        vfs.umount("/ram")
    except OSError:
        gc.collect()  # it was not mounted
    vfs.mount(vfs.VfsLfs2(flash, mtime=False), "/ram")
    return "/ram/log"


def remove(path: str) -> None:
    """A file, or a folder with all that is in it."""
    try:
        names = os.listdir(path)
    except OSError:
        os.remove(path)
        return
    for name in names:
        remove(path + "/" + name)
    os.rmdir(path)


def copy(source: str, target: str) -> None:
    """A folder with all that is in it."""
    os.mkdir(target)
    for name in os.listdir(source):
        try:
            os.listdir(source + "/" + name)
        except OSError:
            with open(source + "/" + name, "rb") as file, open(target + "/" + name, "wb") as other:
                data = file.read(1024)
                while data:
                    other.write(data)
                    data = file.read(1024)
        else:
            copy(source + "/" + name, target + "/" + name)
