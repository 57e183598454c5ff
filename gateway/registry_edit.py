"""Changes of terminals.toml: each atomic, and none that would not load. Who adds or puts an entry holds `alone`."""

import fcntl
import os
import re
import stat
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from gateway.files import sync_folder
from gateway.registry import RegistryFile, TerminalEntry, load
from protocol.host.strict import ConfigError, Problem, read
from protocol.host.tables import Section

_ROOT = 0  # reads everything, whoever owns it
_HEAD = re.compile(r"[ \t]*\[\[[ \t]*terminal[ \t]*\]\][ \t]*(#.*)?\r?\n?")


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Nobody else changes the file until the end: for who reads it, and changes it by that. Raises OSError."""
    descriptor = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def add(path: Path, entry: TerminalEntry) -> None:
    """Add a terminal to the file, atomically; the file stays as it was if the result would not load.

    Raises ConfigError.
    """
    text = path.read_text(encoding="utf-8")
    if text and not text.endswith("\n"):
        text += "\n"
    _replace(path, text + "\n" + _toml(entry))


def revoke(path: Path, terminal: str, at: datetime) -> None:
    """Mark a terminal of the file as revoked at this time, atomically and `alone`; nothing else of the file changes.

    Raises OSError; ConfigError, also where it is not in the file, or stands there in a form to be edited by hand.
    """
    with alone(path):
        _revoke(path, terminal, at)


def _revoke(path: Path, terminal: str, at: datetime) -> None:
    text, number, lines, heads = _found(path, terminal)
    expected = tomllib.loads(text)
    if "revoked" in expected["terminal"][number]:
        raise ConfigError([Problem(path, f"terminal[{number}].revoked", f"{terminal}: revoked already / 已吊销")])
    stamp = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if heads:
        lines.insert(heads[number] + 1, f"revoked = {stamp}\n")
    expected["terminal"][number]["revoked"] = datetime.fromisoformat(stamp)
    cure = f"{terminal}: add by hand / 请手工加入: revoked = {stamp}"
    _replace_if(path, "".join(lines), expected, f"terminal[{number}]", cure)


def put(path: Path, entry: TerminalEntry) -> None:
    """Give a terminal of the file another table, atomically; nothing else of the file changes.

    Raises ConfigError, also where it is not in the file, or stands there in a form that must be edited by hand.
    """
    text, number, lines, heads = _found(path, entry.id)
    expected = tomllib.loads(text)
    if heads:
        begin = heads[number]
        end = heads[number + 1] if number + 1 < len(heads) else len(lines)
        while not lines[end - 1].strip() or lines[end - 1].startswith("#"):  # what is above the next one stays
            end -= 1
        lines[begin:end] = _toml(entry)
    expected["terminal"][number] = tomllib.loads(_toml(entry))["terminal"][0]
    _replace_if(path, "".join(lines), expected, f"terminal[{number}]", f"{entry.id}: edit by hand / 请手工修改")


def _found(path: Path, terminal: str) -> tuple[str, int, list[str], list[int]]:
    """(the file, the terminal's place in it, its lines, where each [[terminal]] is: none if not all are written so)."""
    text = path.read_text(encoding="utf-8")
    entries = read(path, RegistryFile).terminal
    number = next((number for number, entry in enumerate(entries) if entry.id == terminal), None)
    if number is None:
        raise ConfigError([Problem(path, "terminal", f"{terminal}: not in this file / 文件中没有此终端")])
    lines = text.splitlines(keepends=True)
    heads = [at_line for at_line, line in enumerate(lines) if _HEAD.fullmatch(line)]
    return text, number, lines, heads if len(heads) == len(entries) else []


def _replace_if(path: Path, text: str, expected: dict[str, Any], key: str, cure: str) -> None:
    """Put the text in the file's place if it says what is expected. Raises ConfigError."""
    try:
        is_exact = tomllib.loads(text) == expected
    except tomllib.TOMLDecodeError:
        is_exact = False
    if not is_exact:
        raise ConfigError([Problem(path, key, f"not written as [[terminal]] / 未写成 [[terminal]]; {cure}")])
    _replace(path, text)


def _replace(path: Path, text: str) -> None:
    """Put the text in the file's place if it loads. Raises ConfigError."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    candidate = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            _keep_owner(stream.fileno(), path)
            os.fsync(stream.fileno())
        load(candidate)
        candidate.replace(path)
        sync_folder(path.parent)
    except ConfigError as error:
        raise ConfigError([Problem(path, one.key, one.text) for one in error.problems]) from error
    finally:
        candidate.unlink(missing_ok=True)


def _keep_owner(descriptor: int, path: Path) -> None:
    """Whoever may use the file that is replaced may use this one: owner, group, mode. Raises ConfigError."""
    before = path.stat()
    mode = stat.S_IMODE(before.st_mode)
    group_may_more = bool(mode >> 3 & ~mode & 0o7)
    for uid, gid, is_needed in ((-1, before.st_gid, group_may_more), (before.st_uid, -1, before.st_uid != _ROOT)):
        try:
            os.fchown(descriptor, uid, gid)
        except OSError as error:
            if is_needed:
                text = f"user {before.st_uid}, group {before.st_gid} can't be kept ({error.strerror}): do it as root"
                raise ConfigError([Problem(path, "owner", f"{text} / 无法保留属主，请以 root 执行")]) from error
    os.fchmod(descriptor, mode)


def _toml(entry: TerminalEntry) -> str:
    lines = ["[[terminal]]", f"id = {_quoted(entry.id)}", f"keys = [{', '.join(map(_inline, entry.keys))}]"]
    if entry.board is not None:
        lines.append(f"board = {_quoted(entry.board)}")
    for name in ("commissioned", "revoked"):
        at: datetime | None = getattr(entry, name)
        if at is not None:
            lines.append(f"{name} = {at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    return "\n".join([*lines, "points = [", *(f"    {_inline(point)}," for point in entry.points), "]", ""])


def _inline(table: Section) -> str:
    """A table on one line, without what is left out."""
    parts = []
    for known in msgspec.structs.fields(table):
        value = getattr(table, known.name)
        if value is not None and value != known.default:
            shown = _inline(value) if isinstance(value, Section) else _quoted(value)
            parts.append(f"{known.encode_name} = {shown}")
    return f"{{{', '.join(parts)}}}"


def _quoted(value: str | int) -> str:
    # JSON's escapes are a subset of those of a TOML basic string; its integers are TOML's
    return msgspec.json.encode(value).decode("utf-8")
