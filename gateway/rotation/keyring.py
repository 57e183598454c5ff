"""The keys that were agreed on, and which count: laid over the registry that terminals.toml gives.

A secret lies in its row as in a key's file: sealed, where there is a wrapping key (gateway/keys).
"""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from cext.decoder import KeyState
from gateway import registry as terminals
from gateway.keys import key_file
from gateway.keys.wrapping import WrappingKeys
from gateway.registry import Registry, Terminal
from gateway.rotation.store import FILE, looking
from protocol.host.strict import ConfigError, Problem

KEY, FACTOR = "key", "factor"


_LINE = "CAST(line AS BLOB)"  # what has rotted need not be a text


class _Kept(NamedTuple):
    """What was agreed on with a terminal, by generation: keys, and why those can't be opened that can't."""

    states: dict[int, KeyState]
    unread: dict[int, str]


class Counting(NamedTuple):
    """A terminal with the keys that count. unread: those that would, by generation, and why they can't be opened."""

    terminal: Terminal
    unread: dict[int, str]


def over(registry: Registry, connection: sqlite3.Connection, now_ms: int) -> Iterator[Counting]:
    """The terminals that ever agreed on a key, with the keys that count."""
    names = [name for (name,) in connection.execute("SELECT terminal FROM secrets UNION SELECT terminal FROM retired")]
    return changed(registry, connection, now_ms, names)


def changed(
    registry: Registry, connection: sqlite3.Connection, now_ms: int, names: Iterable[str]
) -> Iterator[Counting]:
    """Those of these terminals that are admitted, with the keys that were agreed on, but those whose time is over.

    Where terminals.toml has that generation too, a technician has laid a key since: that counts. Where it has a higher
    one, both do until the terminal uses it: the board that is replaced serves until the other hangs in its place.
    """
    for name in names:
        one = registry.get(name)
        if one is not None:
            yield _with(one, _kept(connection, registry.wrapping, name), _retired(connection, now_ms, name))


def warnings(folder: Path, registry: Registry, now_ms: int) -> list[Problem]:
    """What an operator should know of keys that were agreed on: which of those that count can't be opened, and why.

    folder: data_dir.
    """
    file = folder / FILE
    try:
        with looking(folder) as connection:
            found = [] if connection is None else list(over(registry, connection, now_ms))
    except sqlite3.Error as error:
        return [Problem(file, "secrets", f"can't be read / 无法读取: {error}")]
    return [
        Problem(file, key_file.name_of(one.terminal.id, generation), why)
        for one in found
        for generation, why in one.unread.items()
    ]


def load_keys(path: Path, folder: Path) -> dict[str, dict[int, KeyState]]:
    """Every key that there ever was and can be opened, of terminals.toml and agreed on: to prove what came once.

    Raises ConfigError.
    """
    found = terminals.load_keys(path)
    wraps = terminals.wrapping_at(path)
    try:
        with looking(folder) as connection:
            if connection is not None:
                for (name,) in connection.execute("SELECT DISTINCT terminal FROM secrets").fetchall():
                    found[name] = {**_kept(connection, wraps, name).states, **found.get(name, {})}
    except sqlite3.Error as error:
        raise ConfigError([Problem(folder / FILE, "secrets", f"can't be used / 无法使用: {error}")]) from error
    return found


def next_end_ms(connection: sqlite3.Connection, now_ms: int) -> int | None:
    """When the next key's time is over."""
    (found,) = connection.execute("SELECT min(at_ms) FROM retired WHERE at_ms > ?", (now_ms,)).fetchone()
    return None if found is None else int(found)


def secret_of(connection: sqlite3.Connection, terminal: Terminal, generation: int, wraps: WrappingKeys) -> bytes:
    """A terminal's key itself. Raises OSError, ValueError: it can't be read; neither shows it."""
    if generation in terminal.key_files:
        return key_file.read(terminal.key_files[generation], key_file.name_of(terminal.id, generation), wraps)
    found = read(connection, terminal.id, generation, KEY, wraps)
    if found is None:
        raise ValueError(f"{terminal.id}: no key of generation {generation}")
    return found


def read(
    connection: sqlite3.Connection, terminal: str, generation: int, kind: str, wraps: WrappingKeys
) -> bytes | None:
    """A secret of the store, if it is there. Raises ValueError, without showing it."""
    row = connection.execute(
        f"SELECT {_LINE} FROM secrets WHERE terminal = ? AND generation = ? AND kind = ?",  # noqa: S608
        (terminal, generation, kind),
    ).fetchone()
    return None if row is None else key_file.opened(row[0], name_of(terminal, generation, kind), wraps)


def keep(
    connection: sqlite3.Connection,
    place: tuple[str, int, str],
    secret: bytes,
    wraps: WrappingKeys,
    now_ms: int,
) -> None:
    """Note a secret. place: terminal, generation, kind."""
    line = key_file.lines(secret, name_of(*place), wraps).decode().strip()
    connection.execute(
        "INSERT OR REPLACE INTO secrets (terminal, generation, kind, line, since_ms) VALUES (?, ?, ?, ?, ?)",
        (*place, line, now_ms),
    )


def lay(connection: sqlite3.Connection, place: tuple[str, int, str], secret: bytes, wraps: WrappingKeys) -> None:
    """Have a secret lie there under another wrapping key, or in plain."""
    line = key_file.lines(secret, name_of(*place), wraps).decode().strip()
    connection.execute("UPDATE secrets SET line = ? WHERE terminal = ? AND generation = ? AND kind = ?", (line, *place))


def forget_factors(connection: sqlite3.Connection, terminal: str) -> None:
    """Changes that are done with, or withdrawn, need none."""
    connection.execute("DELETE FROM secrets WHERE terminal = ? AND kind = ?", (terminal, FACTOR))


def newest(connection: sqlite3.Connection | None) -> dict[str, int]:
    """By terminal, the highest generation that was agreed on."""
    if connection is None:
        return {}
    rows = connection.execute("SELECT terminal, max(generation) FROM secrets WHERE kind = ? GROUP BY terminal", (KEY,))
    return dict(rows)


def is_replaced(connection: sqlite3.Connection, terminal: str, generation: int) -> bool:
    """Whether the terminal has used a key above this one: it counts for a while at the most."""
    row = connection.execute("SELECT 1 FROM retired WHERE terminal = ? AND generation = ?", (terminal, generation))
    return row.fetchone() is not None


def laid_above(connection: sqlite3.Connection, registry: Registry, name: str) -> int | None:
    """The generation that a technician laid after the last one that was agreed on; None: he did not, or it is in use.

    registry: as terminals.toml gives it.
    """
    one = registry.get(name)
    laid = max(one.key_files or one.states, default=0) if one is not None else 0
    (waiting,) = connection.execute(
        "SELECT max(generation) FROM secrets WHERE terminal = ?1 AND kind = ?2"
        " AND generation NOT IN (SELECT generation FROM retired WHERE terminal = ?1)",
        (name, KEY),
    ).fetchone()
    return laid if waiting is not None and waiting < laid else None


def lines(connection: sqlite3.Connection) -> Iterator[tuple[tuple[str, int, str], bytes]]:
    """Every secret as it lies there, by its place."""
    rows = connection.execute(f"SELECT terminal, generation, kind, {_LINE} FROM secrets")  # noqa: S608
    for terminal, generation, kind, line in rows:
        yield (terminal, generation, kind), line


def name_of(terminal: str, generation: int, kind: str) -> str:
    """What a secret is sealed for."""
    name = key_file.name_of(terminal, generation)
    return name if kind == KEY else f"{name}.{kind}"


def _with(one: Terminal, kept: _Kept, retired: set[int]) -> Counting:
    """A key that can't be opened is there all the same: those before it do not come back for its lack."""
    found, unread = {**kept.states, **one.states}, kept.unread.keys() - one.states.keys()
    highest = max([*found, *unread], default=0)
    counting = {key for key in (*found, *unread) if key == highest or key not in retired}
    states = {key: state for key, state in found.items() if key in counting}
    return Counting(replace(one, states=states), {key: kept.unread[key] for key in sorted(unread & counting)})


def _kept(connection: sqlite3.Connection, wraps: WrappingKeys, terminal: str) -> _Kept:
    found = _Kept({}, {})
    rows = connection.execute(
        f"SELECT generation, {_LINE} FROM secrets WHERE terminal = ? AND kind = ?",  # noqa: S608
        (terminal, KEY),
    )
    for generation, line in rows:
        try:
            secret = key_file.opened(line, name_of(terminal, generation, KEY), wraps)
            found.states[generation] = KeyState(secret)
        except ValueError as error:  # one row that has rotted is no other's
            found.unread[generation] = str(error)
    return found


def _retired(connection: sqlite3.Connection, now_ms: int, terminal: str) -> set[int]:
    rows = connection.execute("SELECT generation FROM retired WHERE terminal = ? AND at_ms <= ?", (terminal, now_ms))
    return {generation for (generation,) in rows}
