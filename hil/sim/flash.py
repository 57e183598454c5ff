"""A terminal's file system as LittleFS keeps it: what was not committed when the power fails was never there.

A file's new content is committed, as a whole, by `flush` or `close`; making, renaming and removing a name commit at
once. Each such operation, and each write before it, is a point at which the power may fail: before it takes effect or
right after. Units: bytes.
"""

import errno
import io
from collections.abc import Callable
from typing import Self

from hil.sim.loop import PowerCutError

ENOSPC = 28
BLOCK_BYTES = 4096
COUNTERS_BLOCKS = 2
_BLOCK_COUNT, _BLOCK_SIZE, _ERASE = 4, 5, 6  # vfs.VfsLfs2's operations


class Flash:
    """What outlives the power: committed files and folders. `open` it anew at each start."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.full = False  # it takes nothing that makes a file longer
        self.files: dict[str, bytes] = {}
        self.folders: set[str] = {""}
        self.operations = 0  # over all starts
        self.refusing = False  # the chip takes nothing: every operation is an OSError (EIO)
        self.counters = bytearray(b"\xff" * COUNTERS_BLOCKS * BLOCK_BYTES)  # outside the file system
        self.on_cut: Callable[[], None] = lambda: None
        self.on_commit: Callable[[str, bytes], None] = lambda _path, _content: None
        self.torn_bytes: int | None = None
        self._cut_in = 0
        self._cut_after = False

    def cut_in(self, operations: int, *, after: bool, torn_bytes: int | None = None) -> None:
        """The power fails at the so-many-th operation from now (1: the next), before or after its effect. torn_bytes:
        at the so-many-th of those that a cut tears, and so many bytes of it are there.
        """
        self._cut_in, self._cut_after, self.torn_bytes = operations, after, torn_bytes

    def disarm(self) -> None:
        """The power does not fail after all."""
        self._cut_in = 0

    def used(self) -> int:
        """Of the size; what a file takes is rounded up by nothing: LittleFS's own share is not modelled."""
        return sum(len(data) for data in self.files.values())

    def commit(self, path: str, content: bytes) -> None:
        """A file has this content from now on, whatever happens to the power."""
        self.files[path] = content
        self.on_commit(path, content)

    def operate(self, act: Callable[[], object], torn: Callable[[], object] | None = None) -> None:
        """One operation, at which the power may fail; `torn` is what is then left of one that was half done.

        Raises OSError, PowerCutError.
        """
        self.operations += 1
        if self._is_cut(tears=torn is not None):
            if self._cut_after and not self.refusing:
                act()
            elif torn is not None:
                torn()
            self.on_cut()
            raise PowerCutError("the power failed in a flash operation")
        if self.refusing:
            raise OSError(errno.EIO, "the flash refuses")
        act()

    def _is_cut(self, *, tears: bool) -> bool:
        """Whether the power fails in this operation."""
        if not self._cut_in or not (tears or self.torn_bytes is None):
            return False
        self._cut_in -= 1
        return self._cut_in == 0


class Mount:
    """The file system as one life of the terminal sees it: the functions of MicroPython's `os`, and `open`.

    Paths are relative to the flash's root. After `cut` everything raises PowerCutError.
    """

    def __init__(self, flash: Flash) -> None:
        self._flash = flash
        self.dead = False

    def cut(self) -> None:
        """The power is gone: whatever still runs has no effect any more."""
        self.dead = True

    def alive(self) -> Flash:
        """The flash. Raises PowerCutError once the power is gone."""
        if self.dead:
            raise PowerCutError("without power")
        return self._flash

    def open(self, path: str, mode: str = "r") -> "File | io.StringIO":
        """As MicroPython's: rb, r+b, wb, w+b, and r for text. Raises OSError."""
        flash = self.alive()
        data = flash.files.get(path)
        if "w" in mode and data is None:
            flash.operate(lambda: flash.files.setdefault(path, b""))
        elif data is None:
            raise OSError(errno.ENOENT, path)
        if mode == "r":
            return io.StringIO((data or b"").decode())
        return File(self, path, b"" if "w" in mode or data is None else data, "w" in mode, "w" in mode or "+" in mode)

    def stat(self, path: str) -> tuple[int, ...]:
        """(mode, 0, 0, 0, 0, 0, size, 0, 0, 0). Raises OSError."""
        flash = self.alive()
        if path in flash.folders:
            return (0x4000, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        if path not in flash.files:
            raise OSError(errno.ENOENT, path)
        return (0x8000, 0, 0, 0, 0, 0, len(flash.files[path]), 0, 0, 0)

    def listdir(self, path: str) -> list[str]:
        """The names in a folder. Raises OSError."""
        flash = self.alive()
        if path not in flash.folders:
            raise OSError(errno.ENOENT, path)
        begin = f"{path}/" if path else ""
        return sorted(
            name[len(begin) :]
            for name in [*flash.files, *flash.folders]
            if name and name.startswith(begin) and "/" not in name[len(begin) :]
        )

    def mkdir(self, path: str) -> None:
        """Make a folder. Raises OSError."""
        flash = self.alive()
        if path in flash.folders or path in flash.files:
            raise OSError(errno.EEXIST, path)
        flash.operate(lambda: flash.folders.add(path))

    def rmdir(self, path: str) -> None:
        """Remove a folder that is empty. Raises OSError."""
        if self.listdir(path):
            raise OSError(errno.ENOTEMPTY, path)
        flash = self.alive()
        flash.operate(lambda: flash.folders.discard(path))

    def statvfs(self, _path: str) -> tuple[int, ...]:
        """(block size, block size, blocks, blocks free): of the whole."""
        flash = self.alive()
        blocks = flash.size // BLOCK_BYTES
        return BLOCK_BYTES, BLOCK_BYTES, blocks, blocks - -(-flash.used() // BLOCK_BYTES)

    def remove(self, path: str) -> None:
        """Remove a file. Raises OSError."""
        flash = self.alive()
        if path not in flash.files:
            raise OSError(errno.ENOENT, path)
        flash.operate(lambda: flash.files.__delitem__(path))

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in the place of whatever has it. Raises OSError."""
        flash = self.alive()
        if old not in flash.files:
            raise OSError(errno.ENOENT, old)
        flash.operate(lambda: flash.commit(new, flash.files.pop(old)))


class Blocks:
    """The counters' two blocks, as a block device of MicroPython: programmed at once, torn by a power cut."""

    def __init__(self, mount: Mount) -> None:
        self._mount = mount

    def readblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        """Fill the buffer."""
        at = block * BLOCK_BYTES + offset
        buffer[:] = self._mount.alive().counters[at : at + len(buffer)]

    def writeblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        """Program bytes. Raises OSError."""
        self._put(block * BLOCK_BYTES + offset, bytes(buffer), self._mount.alive().torn_bytes or 0)

    def ioctl(self, operation: int, argument: int) -> int:
        """Block count, block size, erase, sync. Raises OSError."""
        if operation == _ERASE:
            self._put(argument * BLOCK_BYTES, b"\xff" * BLOCK_BYTES, BLOCK_BYTES // 2)
        return {_BLOCK_COUNT: COUNTERS_BLOCKS, _BLOCK_SIZE: BLOCK_BYTES}.get(operation, 0)

    def _put(self, at: int, data: bytes, torn_bytes: int) -> None:
        flash = self._mount.alive()

        def program(size: int) -> None:
            flash.counters[at : at + size] = data[:size]

        flash.operate(lambda: program(len(data)), lambda: program(min(torn_bytes, len(data))))


class File:
    """An open file of bytes."""

    def __init__(self, mount: Mount, path: str, data: bytes, dirty: bool, writable: bool) -> None:
        self._mount = mount
        self._path = path
        self._data: bytes | bytearray = bytearray(data) if writable else data
        self._at = 0
        self._dirty = dirty
        self._writable = writable
        self._open = True

    def read(self, count: int = -1) -> bytes:
        """Up to `count` bytes from where it stands; -1: all."""
        self._mount.alive()
        end = len(self._data) if count < 0 else self._at + count
        found = bytes(self._data[self._at : end])
        self._at += len(found)
        return found

    def readinto(self, buffer: bytearray) -> int:
        """Fill the buffer as far as there is something."""
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def seek(self, at: int, whence: int = 0) -> int:
        """Go to a place."""
        base = (0, self._at, len(self._data))[whence]
        self._at = base + at
        return self._at

    def tell(self) -> int:
        """Where it stands."""
        return self._at

    def write(self, data: bytes) -> int:
        """Not committed yet. Raises OSError."""
        flash = self._mount.alive()
        if not self._writable or not isinstance(self._data, bytearray):
            raise OSError(errno.EBADF, self._path)
        end = self._at + len(data)
        more = end - len(self._data)
        if more > 0 and flash.full:
            raise OSError(ENOSPC, self._path)
        if more > 0 and flash.used() + len(self._data) - len(flash.files.get(self._path, b"")) + more > flash.size:
            raise OSError(ENOSPC, self._path)
        flash.operate(lambda: None)
        if self._at > len(self._data):
            self._data += bytes(self._at - len(self._data))
        self._data[self._at : end] = data
        self._at = end
        self._dirty = True
        return len(data)

    def flush(self) -> None:
        """Commit. Raises OSError: what is committed is as it was."""
        flash = self._mount.alive()
        if self._dirty:
            content = bytes(self._data)
            flash.operate(lambda: flash.commit(self._path, content))
            self._dirty = False

    def close(self) -> None:
        """Commit, and let go of the file. Raises OSError."""
        if self._open:
            self._open = False
            self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
