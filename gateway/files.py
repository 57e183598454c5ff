"""Files as the gateway treats them: durable where it says so, watched where an operator may edit them."""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

SECRET_BYTES_MAX = 4_096  # of a key or password; anything longer is some other file
WATCH_EVERY_S = 5.0  # a look costs one stat; a revoked terminal must be refused within a minute


def sync_folder(folder: Path) -> None:
    """Make renames and new names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_secret(file: Path, bytes_max: int = SECRET_BYTES_MAX) -> bytes:
    """What the file of a key or password holds, without white space around it: the one way to read one.

    Raises OSError, whose strerror says what to do and shows nothing of the content: also where others may use the file.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not keep us waiting
    try:
        if wrong := _wrong_secret(file, os.fstat(descriptor)):
            raise PermissionError(errno.EACCES, wrong, str(file))
        content = os.read(descriptor, bytes_max + 1)  # of a regular file: all there is, or so much
    finally:
        os.close(descriptor)
    if len(content) > bytes_max:
        raise OSError(errno.EFBIG, f"longer than {bytes_max} bytes: some other file / 文件过大", str(file))
    return content.strip()


def _wrong_secret(file: Path, found: os.stat_result) -> str | None:
    """Whether somebody else may read or replace it: who it belongs to, and its mode (600; 640 for a group of ours)."""
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISREG(found.st_mode):
        return "not a regular file / 不是普通文件"
    if mode & 0o037:
        return f"others may use it (mode {mode:03o}) / 权限过宽; do / 执行: chmod 600 {file}"  # or 640
    if found.st_uid not in {0, os.geteuid(), file.resolve().parent.stat().st_uid}:
        return f"it belongs to user {found.st_uid} / 属于其他用户; do / 执行: chown {os.geteuid()} {file}"
    return None


def read_password(file: str | None, bytes_max: int = SECRET_BYTES_MAX) -> str | None:
    """The password in a file that a configuration names; None: it names none. Raises OSError, as `read_secret`."""
    if file is None:
        return None
    try:
        return read_secret(Path(file), bytes_max).decode("utf-8")
    except UnicodeDecodeError as error:
        raise OSError(errno.EINVAL, "not UTF-8 text / 不是 UTF-8 文本", file) from error


def give_to_owner_of(folder: Path, *made: Path) -> None:
    """What root makes in the folder of another user is that one's, with all below it: a service has to write to it.

    What is not there is left out; so are links, which root makes none of. Raises OSError.
    """
    owner = folder.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for one in made:
        with suppress(FileNotFoundError):
            _give(one, owner)


def _give(one: Path | str, owner: os.stat_result, within: int | None = None) -> None:
    """within: the descriptor of the folder that it is in.

    Neither a link is followed, nor is a file with a second name given: it may be any of root's. What is below goes
    first: until then nobody else can put anything there.
    """
    # O_PATH: to close any other descriptor of a store would take away the locks that SQLite holds on it
    descriptor = os.open(one, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=within)
    try:
        this, found = f"/proc/self/fd/{descriptor}", os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            for below in Path(this).iterdir():
                with suppress(FileNotFoundError):
                    _give(below.name, owner, descriptor)
        elif not (stat.S_ISREG(found.st_mode) and found.st_nlink == 1):
            return
        os.chown(this, owner.st_uid, owner.st_gid)
    finally:
        os.close(descriptor)


def write_durably(file: Path, data: bytes, mode: int = 0o666, like: os.stat_result | None = None) -> None:
    """Put the content in the file's place, as a whole, on the disk. mode: less the process's umask.

    like: whose owner, group and mode it has in the end; nobody else opens it before. Raises OSError.
    """
    partial = file.with_name(f".{file.name}.partial")
    mode = mode if like is None else 0o600
    try:
        partial.unlink(missing_ok=True)  # of a process that was killed: it may have another mode
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as stream:
            if like is not None:
                os.fchown(stream.fileno(), like.st_uid, like.st_gid)
                os.fchmod(stream.fileno(), stat.S_IMODE(like.st_mode))
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        partial.rename(file)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(file.resolve().parent)


def write_secret(file: Path, text: str) -> None:
    """Put a secret into a new file, for its owner alone, as a whole, on the disk. Raises FileExistsError, OSError."""
    partial = file.with_name(f".{file.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(partial, file)  # unlike a rename it replaces nothing
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(file.resolve().parent)


class Watched:
    """A file that may be edited or replaced while we run. Made before the file is read, so that no change is missed."""

    def __init__(self, path: Path, steady_s: Callable[[], float], every_s: float = WATCH_EVERY_S) -> None:
        self._path = path
        self._steady_s = steady_s
        self._every_s = every_s
        self._seen = self._state()
        self._look_at_s = steady_s() + every_s

    def changed(self) -> bool:
        """Whether it is another file, or has another content, than at the last True; looks every few seconds only."""
        if self._steady_s() < self._look_at_s:
            return False
        self._look_at_s = self._steady_s() + self._every_s
        state = self._state()
        if state is None or state == self._seen:
            return False  # gone: between two steps of somebody's editor; what was read stays in force
        self._seen = state
        return True

    def _state(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
