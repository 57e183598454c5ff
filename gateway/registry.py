"""terminals.toml: which terminals are admitted, with their keys and points. Immutable; a reload makes a new one.

[[terminal]]
id = "T0001"
keys = [{generation = 1, file = "keys/T0001.1.hex"}]      # 64 hex digits, readable by the gateway's user only
points = [{number = 1, name = "furnace", kind = "production", rated_power_w = 250000}]
"""

import os
import re
import stat
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from cext.decoder import KeyState
from gateway.config import Name, Section, Text, duplicates
from gateway.strict import ConfigError, Problem, read
from protocol import limits, mac

KEY_FILE_BYTES_MAX = 256  # 64 hex digits and white space; anything longer is some other file
_KEY_FILE = "a file of 64 hex digits (32 bytes) / 含 64 个十六进制数字的文件"
_TERMINAL = re.compile(rf"[A-Za-z0-9_-]{{1,{limits.TERMINAL_CHARS_MAX}}}", re.ASCII)


class KeyEntry(Section, frozen=True):
    """A key of one generation, by the file that holds it."""

    generation: Annotated[int, msgspec.Meta(ge=1, le=limits.GENERATION_MAX)]
    file: Text


class Point(Section, frozen=True):
    """A measured feeder."""

    number: Annotated[int, msgspec.Meta(ge=1, le=limits.POINTS_MAX)]
    name: Text
    kind: Literal["production", "treatment", "other"]
    rated_power_w: Annotated[int, msgspec.Meta(ge=1, le=limits.POWER_W_MAX)] | None = None
    # the coarsest step that the meter's register shows, times its CT and PT ratio: a jump of one step is no finding
    register_step_wh: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 100


class TerminalEntry(Section, frozen=True):
    """[[terminal]]: one table of the file."""

    id: Name
    keys: list[KeyEntry]
    points: list[Point] = msgspec.field(default_factory=list)


class RegistryFile(Section, frozen=True):
    """The whole file."""

    terminal: list[TerminalEntry] = msgspec.field(default_factory=list)


@dataclass(frozen=True)
class Terminal:
    """An admitted terminal.

    By generation: `keys` seal what goes down, `states` open what comes up. By number: `points`.
    """

    id: str
    keys: Mapping[int, mac.Key]
    states: Mapping[int, KeyState]
    points: Mapping[int, Point]


class Registry:
    """The admitted terminals by id."""

    def __init__(self, terminals: Iterable[Terminal] = ()) -> None:
        self._terminals = {terminal.id: terminal for terminal in terminals}

    def get(self, terminal: str) -> Terminal | None:
        """The terminal, or None if it is not admitted."""
        return self._terminals.get(terminal)

    def __len__(self) -> int:
        return len(self._terminals)


def is_terminal_id(name: str) -> bool:
    """Whether this can be a terminal's id (SPEC.md, section 1)."""
    return _TERMINAL.fullmatch(name) is not None


def load(path: Path) -> Registry:
    """The file and the keys it names. Raises ConfigError with all problems."""
    entries = read(path, RegistryFile).terminal
    problems = duplicates(path, "terminal", "id", entries, lambda entry: entry.id)
    terminals = [_load_terminal(path, f"terminal[{number}]", entry, problems) for number, entry in enumerate(entries)]
    if problems:
        raise ConfigError(problems)
    return Registry(terminals)


def _load_terminal(path: Path, at: str, entry: TerminalEntry, problems: list[Problem]) -> Terminal:
    problems += duplicates(path, f"{at}.points", "number", entry.points, lambda point: point.number)
    problems += duplicates(path, f"{at}.keys", "generation", entry.keys, lambda key: key.generation)
    if not entry.keys:
        problems.append(Problem(path, f"{at}.keys", "none / 没有密钥; allowed / 允许: at least one key"))
    keys, states = {}, {}
    for number, key in enumerate(entry.keys):
        try:
            secret = read_secret(path.resolve().parent / key.file)
            keys[key.generation] = mac.Key(secret, key.generation)
            states[key.generation] = KeyState(secret)
        except OSError as error:
            text = f"{key.file}: can't be read / 无法读取: {error.strerror}; allowed / 允许: {_KEY_FILE}"
            problems.append(Problem(path, f"{at}.keys[{number}].file", text))
        except ValueError as error:
            problems.append(Problem(path, f"{at}.keys[{number}].file", f"{key.file}: {error}"))
    return Terminal(entry.id, keys, states, {point.number: point for point in entry.points})


def read_secret(file: Path) -> bytes:
    """The 32 bytes in a key file. Raises OSError or ValueError, neither of which shows a byte of the content."""
    with file.open("rb") as stream:
        mode = os.fstat(stream.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise ValueError("not a regular file / 不是普通文件; allowed / 允许: " + _KEY_FILE)
        if mode & 0o007:
            raise ValueError(
                f"others may use it (mode {stat.S_IMODE(mode):03o}) / 权限过宽; allowed / 允许: mode 600 or 640"
            )
        content = stream.read(KEY_FILE_BYTES_MAX + 1)
    text = content.strip()
    if len(content) > KEY_FILE_BYTES_MAX or not re.fullmatch(rb"[0-9A-Fa-f]{64}", text):
        raise ValueError(f"not a key / 不是有效密钥; allowed / 允许: {_KEY_FILE}")
    return bytes.fromhex(text.decode("ascii"))


def admit(path: Path, entry: TerminalEntry) -> None:
    """Add a terminal to the file, atomically; the file stays as it was if the result would not load.

    Raises ConfigError.
    """
    text = path.read_text(encoding="utf-8")
    if text and not text.endswith("\n"):
        text += "\n"
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    candidate = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text + "\n" + _toml(entry))
            stream.flush()
            os.fsync(stream.fileno())
        candidate.chmod(stat.S_IMODE(path.stat().st_mode))
        load(candidate)
        candidate.replace(path)
    except ConfigError as error:
        raise ConfigError([Problem(path, one.key, one.text) for one in error.problems]) from error
    finally:
        candidate.unlink(missing_ok=True)


def _toml(entry: TerminalEntry) -> str:
    lines = ["[[terminal]]", f"id = {_quoted(entry.id)}"]
    keys = [f"{{generation = {key.generation}, file = {_quoted(key.file)}}}" for key in entry.keys]
    lines.append(f"keys = [{', '.join(keys)}]")
    lines.append("points = [")
    for point in entry.points:
        rated = "" if point.rated_power_w is None else f", rated_power_w = {point.rated_power_w}"
        lines.append(
            f"    {{number = {point.number}, name = {_quoted(point.name)}, kind = {_quoted(point.kind)}{rated}}},"
        )
    return "\n".join([*lines, "]", ""])


def _quoted(text: str) -> str:
    # JSON's escapes are a subset of those of a TOML basic string
    return msgspec.json.encode(text).decode("utf-8")
