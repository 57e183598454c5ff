# A release's files on the flash: written as they come and held against their hashes, read back, removed.
# What takes long is an iterator, for who has other work to do in between.
import hashlib
import os

from protocol import update
from protocol.update import UpdateError
from terminal import small_file

_PIECE_BYTES = 2048  # read at a time
_RESERVE_BLOCKS = 8  # for the boot record, and what LittleFS needs to move its own
_FOLDER_BLOCKS = 2  # LittleFS keeps a folder in a pair of blocks
_FOLDERS_MAX = 8


class SlotWriter:
    """Writes the payload of a release into an empty folder, in order; `stored` bytes of it are. `signed` is the
    manifest as it came; `room` as of the function of that name."""

    def __init__(self, folder: str, manifest: update.Manifest, signed: bytes, room: "tuple[int, int]") -> None:
        self.manifest = manifest
        self.signed = signed
        self.stored = 0
        self._folder = folder
        self._room_blocks, self._block_bytes = room
        self._index: "bytearray | bytes" = bytearray()
        self._files = iter(())  # those that are still to come
        self._one: "_Coming | None" = None  # the one that comes

    @property
    def is_whole(self) -> bool:
        return self.stored == self.manifest.payload_bytes

    def write(self, content: bytes) -> None:
        """The next bytes. Raises UpdateError for what was not signed, OSError for a flash that does not take it."""
        at = 0
        while at < len(content):
            missing = self.manifest.index_bytes - len(self._index)
            if missing:
                part = content[at : at + missing]
                self._index += part
                if len(part) == missing:
                    self._begin()
            elif self._one is None:
                raise UpdateError(update.EXTRA)
            else:
                part = content[at : at + self._one.left]
                self._one.append(part)
                if not self._one.left:
                    self._next()
            at += len(part)
        self.stored += len(content)

    def close(self) -> None:
        """Write no more."""
        if self._one is not None:
            self._one.file.close()

    def _begin(self) -> None:
        """The index is there: believe it, or not."""
        index = self._index = bytes(self._index)  # one copy in memory, for all the time that files come
        update.check_index(index, self.manifest)
        if self._blocks(index) > self._room_blocks:
            raise UpdateError(update.SIZE, "no room")
        small_file.make_folder(self._folder)
        with open(self._folder + "/" + update.INDEX_NAME, "wb") as file:
            file.write(index)
        self._files = update.files_of(index)
        self._next()

    def _blocks(self, index: bytes) -> int:
        total = -(-len(index) // self._block_bytes) + _FOLDERS_MAX * _FOLDER_BLOCKS
        for one in update.files_of(index):
            total += -(-one.bytes // self._block_bytes)
        return total

    def _next(self) -> None:
        """End the file that has come; begin the next one that has content: those that have none are there at once."""
        if self._one is not None:
            self._one.end()
        self._one = None
        for one in self._files:  # type: ignore[var-annotated]
            coming = _Coming(self._folder, one)
            if one.bytes:
                self._one = coming
                return
            coming.end()


class _Coming:
    """A file while it comes; `left` bytes of it are missing."""

    def __init__(self, folder: str, one: update.File) -> None:
        path = folder + "/" + one.path
        small_file.make_folder(path.rsplit("/", 1)[0])
        self.left = one.bytes
        self.file = open(path, "wb")  # noqa: SIM115  open until `end`
        self._one = one
        self._hash = hashlib.sha256()

    def append(self, part: bytes) -> None:
        self.file.write(part)
        self._hash.update(part)
        self.left -= len(part)

    def end(self) -> None:
        self.file.close()
        if self._hash.digest() != self._one.digest:
            raise UpdateError(update.FILE, self._one.path)


def check_steps(folder: str, application: bytes):  # type: ignore[no-untyped-def]
    """Read an application back; an iterator. Raises UpdateError unless it is the one of that name, OSError."""
    with open(folder + "/" + update.INDEX_NAME, "rb") as file:
        index = file.read(update.INDEX_BYTES_MAX)
    if hashlib.sha256(index).digest() != application:
        raise UpdateError(update.CHANGED, update.INDEX_NAME)
    for one in update.files_of(index):
        found = hashlib.sha256()
        with open(folder + "/" + one.path, "rb") as file:
            data = file.read(_PIECE_BYTES)
            while data:
                found.update(data)
                yield
                data = file.read(_PIECE_BYTES)
        if found.digest() != one.digest:
            raise UpdateError(update.CHANGED, one.path)


def application_of(folder: str) -> "bytes | None":
    """The name of the application in a folder; None: it says none."""
    try:
        with open(folder + "/" + update.INDEX_NAME if folder else update.INDEX_NAME, "rb") as file:
            return hashlib.sha256(file.read(update.INDEX_BYTES_MAX)).digest()
    except OSError:
        return None


def wipe_steps(folder: str):  # type: ignore[no-untyped-def]
    """Remove a folder with all that is in it; an iterator. Raises OSError."""
    if not _is_there(folder):
        return
    for name in os.listdir(folder):
        path = folder + "/" + name
        if _is_folder(path):
            yield from wipe_steps(path)
        else:
            os.remove(path)
        yield
    os.rmdir(folder)


def room(prefix: str) -> "tuple[int, int]":
    """(blocks that an application may take, bytes of a block) where there is none in the way."""
    fs = os.statvfs(prefix or "/")
    return max(fs[3] - _RESERVE_BLOCKS, 0), fs[0]


def _is_there(path: str) -> bool:
    try:
        os.stat(path)
    except OSError:
        return False
    return True


def _is_folder(path: str) -> bool:
    return os.stat(path)[0] & 0x4000 != 0
