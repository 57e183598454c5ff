"""terminals.toml: which terminals are admitted, with their keys and points. Immutable; a reload makes a new one.

wrapping_key_file = "/etc/wattline-keys/wrapping.key"     # keys lie sealed under it (gateway/keys); left out: see there

[[terminal]]
id = "T0001"
keys = [{generation = 1, file = "keys/T0001.1.hex"}]      # readable by the gateway's user only
points = [{number = 1, name = "furnace", kind = "production", rated_power_w = 250000}]
board = "esp32s3"                                         # releases for other boards are not offered; else any is
commissioned = 2026-03-01T00:00:00Z                       # windows are due from here on; else from its first record
revoked = 2026-09-01T00:00:00Z                            # refused from the moment that this stands here
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec

from cext.decoder import KeyState
from cext.verify import Points
from gateway.keys import key_file, wrapping
from gateway.keys.wrapping import MissingWrapError, WrappingKeys
from protocol import configuration, limits
from protocol.host.strict import ConfigError, Problem, read
from protocol.host.tables import Name, Section, Text, duplicates

Ratio = Annotated[int, msgspec.Meta(ge=1, le=configuration.RATIO_MAX)]
Instant = Annotated[
    datetime,
    msgspec.Meta(
        tz=True,
        description="a time with its zone, as 2026-03-01T00:00:00Z / 带时区的时间，如 2026-03-01T00:00:00Z",
    ),
]


class KeyEntry(Section, frozen=True):
    """A key of one generation, by the file that holds it."""

    generation: Annotated[int, msgspec.Meta(ge=1, le=limits.GENERATION_MAX)]
    file: Text


class Meter(Section, frozen=True):
    """What the point's meter said of itself when it was commissioned: its number, and its own transformer settings."""

    serial: Annotated[int, msgspec.Meta(ge=0, le=limits.ENERGY_WH_MAX)] | None = None
    ct_milli: Annotated[int, msgspec.Meta(ge=0, le=limits.ENERGY_WH_MAX)] | None = None
    pt_milli: Annotated[int, msgspec.Meta(ge=0, le=limits.ENERGY_WH_MAX)] | None = None


class Point(Section, frozen=True):
    """A measured feeder."""

    number: Annotated[int, msgspec.Meta(ge=1, le=limits.POINTS_MAX)]
    name: Text
    kind: Literal["production", "treatment", "other"]
    rated_power_w: Annotated[int, msgspec.Meta(ge=1, le=limits.POWER_W_MAX)] | None = None
    # the coarsest step that the meter's register shows, times its CT and PT ratio: a jump of one step is no finding
    register_step_wh: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 100
    ct_ratio: Ratio | None = None  # what the terminal multiplies by, as it was commissioned
    pt_ratio: Ratio | None = None
    meter: Meter | None = None


class TerminalEntry(Section, frozen=True):
    """[[terminal]]: one table of the file."""

    id: Name
    keys: list[KeyEntry]
    points: list[Point] = msgspec.field(default_factory=list)
    board: Text | None = None
    commissioned: Instant | None = None
    revoked: Instant | None = None


class RegistryFile(Section, frozen=True):
    """The whole file."""

    wrapping_key_file: Text | None = None
    terminal: list[TerminalEntry] = msgspec.field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Terminal:
    """A terminal of the file.

    By generation: `states`, of the keys that open what comes up and seal what goes down; a revoked one has none;
    `key_files`, of those that stand in the file. By number: `points`. board: as releases name it; None: nobody said.
    """

    id: str
    states: Mapping[int, KeyState] = field(repr=False)
    points: Mapping[int, Point]
    commissioned_s: int | None = None
    revoked_s: int | None = None
    board: str | None = None
    key_files: Mapping[int, Path] = field(default_factory=dict, repr=False)
    limits: Points = field(init=False, repr=False)  # the same points as the checks take them

    def __post_init__(self) -> None:
        limits = {number: (point.rated_power_w, point.register_step_wh) for number, point in self.points.items()}
        meters = {
            number: (point.meter.serial, point.meter.ct_milli, point.meter.pt_milli)
            for number, point in self.points.items()
            if point.meter is not None
        }
        object.__setattr__(self, "limits", Points(self.id, limits, meters))


class Senders(NamedTuple):
    """The terminals of a batch's frames, and what each stage takes of them: item i of each is of frame i."""

    terminals: Sequence[Terminal]
    ids: list[str]
    keys: list[Mapping[int, KeyState]]
    points: list[Points]

    @classmethod
    def of(cls, terminals: Sequence[Terminal]) -> "Senders":
        """Each terminal is looked at once here, and no more afterwards."""
        return cls(
            terminals,
            [one.id for one in terminals],
            [one.states for one in terminals],
            [one.limits for one in terminals],
        )


class Registry:
    """The terminals by id: those that are admitted, and apart from them those that were revoked.

    wrapping: the keys under which key files may lie sealed.
    """

    def __init__(self, terminals: Iterable[Terminal] = (), wrapping: WrappingKeys | None = None) -> None:
        self.wrapping = wrapping or WrappingKeys()
        known = {terminal.id: terminal for terminal in terminals}
        self._terminals = {name: one for name, one in known.items() if one.revoked_s is None}
        self._revoked = {name: one for name, one in known.items() if one.revoked_s is not None}

    def get(self, terminal: str) -> Terminal | None:
        """The terminal, or None if it is not admitted (any more)."""
        return self._terminals.get(terminal)

    def find(self, terminals: Iterable[str]) -> list[Terminal | None]:
        """As `get`, of each."""
        return list(map(self._terminals.get, terminals))

    def revoked(self, terminal: str) -> Terminal | None:
        """The terminal if it was revoked."""
        return self._revoked.get(terminal)

    def all(self) -> Iterator[Terminal]:
        """Every terminal of the file, revoked or not, by id."""
        known = self._terminals | self._revoked
        return (known[name] for name in sorted(known))

    def replaced(self, terminals: Iterable[Terminal]) -> "Registry":
        """Another registry, with these in the place of those of their names."""
        found = self._terminals | self._revoked | {one.id: one for one in terminals}
        return Registry(found.values(), self.wrapping)

    def __len__(self) -> int:
        return len(self._terminals)


def load(path: Path, *, with_keys: bool = True) -> Registry:
    """The file and the keys it names. Raises ConfigError with all problems.

    with_keys: False for those who only look: no key file is read, and a terminal's `states` are empty.
    """
    file = read(path, RegistryFile)
    problems = duplicates(path, "terminal", "id", file.terminal, lambda entry: entry.id)
    keys = _Keys(path, wrapping_of(path, file) if with_keys else WrappingKeys(), with_keys=with_keys)
    terminals = [
        _load_terminal(keys, f"terminal[{number}]", entry, problems) for number, entry in enumerate(file.terminal)
    ]
    problems += keys.problems()
    if problems:
        raise ConfigError(problems)
    return Registry(terminals, keys.wraps)


def wrapping_at(path: Path) -> WrappingKeys:
    """The wrapping keys of the file. Raises ConfigError."""
    return wrapping_of(path, read(path, RegistryFile))


def wrapping_of(path: Path, file: RegistryFile) -> WrappingKeys:
    """The wrapping keys of a file that was read. Raises ConfigError."""
    try:
        return wrapping.find(path.resolve().parent / file.wrapping_key_file if file.wrapping_key_file else None)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        where = file.wrapping_key_file or f"{wrapping.CREDENTIAL}, {wrapping.VARIABLE}"
        raise ConfigError([Problem(path, "wrapping_key_file", f"{where}: can't be used / 无法使用: {why}")]) from error


def load_keys(path: Path) -> dict[str, dict[int, KeyState]]:
    """Every key of the file that can be read, by terminal and generation, those of revoked terminals too.

    To prove what came once; nothing new is taken with them. Raises ConfigError where the file itself can't be read, or
    all keys are sealed and their wrapping key is not here.
    """
    found: dict[str, dict[int, KeyState]] = {}
    file = read(path, RegistryFile)
    keys = _Keys(path, wrapping_of(path, file))
    for entry in file.terminal:
        for number, key in enumerate(entry.keys):
            if (state := keys.state(entry.id, key, f"keys[{number}]", [])) is not None:
                found.setdefault(entry.id, {})[key.generation] = state
    if not found and (problems := keys.problems()):
        raise ConfigError(problems)
    return found


class _Keys:
    """The key files that a terminals.toml names, as they are read."""

    def __init__(self, path: Path, wraps: WrappingKeys, *, with_keys: bool = True) -> None:
        self.path, self.are_read = path, with_keys
        self._folder = path.resolve().parent
        self.wraps = wraps
        self._missing: dict[str, list[str]] = {}  # the files that lie under a wrapping key which is not here, by its id

    def state(self, terminal: str, key: KeyEntry, at: str, problems: list[Problem]) -> KeyState | None:
        """A terminal's key; None, and a problem added, where it can't be read."""
        try:
            name = key_file.name_of(terminal, key.generation)
            return KeyState(key_file.read(self.file(key), name, self.wraps))
        except MissingWrapError as error:
            self._missing.setdefault(error.wrap, []).append(key.file)
        except OSError as error:
            text = f"{key.file}: can't be read / 无法读取: {error.strerror}; allowed / 允许: {key_file.FORM}"
            problems.append(Problem(self.path, f"{at}.file", text))
        except ValueError as error:
            problems.append(Problem(self.path, f"{at}.file", f"{key.file}: {error}"))
        return None

    def file(self, key: KeyEntry) -> Path:
        """Where it lies."""
        return self._folder / key.file

    def problems(self) -> list[Problem]:
        """One for each wrapping key that is missing, however many files lie under it."""
        known = f"{self.wraps.source}: {self.wraps.first}" if self.wraps else "none / 无"
        return [
            Problem(
                self.path,
                "wrapping_key_file",
                f"{len(files)} key files ({files[0]}) are sealed under the wrapping key {wrap} / 个密钥文件已加密; "
                f"here / 现有: {known}; name its file, or run with the service's credential / 请指定正确的主密钥",
            )
            for wrap, files in self._missing.items()
        ]


def _load_terminal(keys: _Keys, at: str, entry: TerminalEntry, problems: list[Problem]) -> Terminal:
    path = keys.path
    problems += duplicates(path, f"{at}.points", "number", entry.points, lambda point: point.number)
    problems += duplicates(path, f"{at}.keys", "generation", entry.keys, lambda key: key.generation)
    if not entry.keys and entry.revoked is None:
        problems.append(Problem(path, f"{at}.keys", "none / 没有密钥; allowed / 允许: at least one key"))
    states = {}
    wanted = keys.are_read and entry.revoked is None  # a revoked one's files may be gone
    for number, key in enumerate(entry.keys if wanted else []):
        if (state := keys.state(entry.id, key, f"{at}.keys[{number}]", problems)) is not None:
            states[key.generation] = state
    points = {point.number: point for point in entry.points}
    files = {key.generation: keys.file(key) for key in entry.keys}
    known_s = (_unix_s(entry.commissioned), _unix_s(entry.revoked))
    return Terminal(entry.id, states, points, *known_s, entry.board, files)


def _unix_s(instant: datetime | None) -> int | None:
    return None if instant is None else int(instant.timestamp())
