"""The keys that were agreed on, and which count: laid over the registry that terminals.toml gives.

A secret lies in its row as in a key's file: sealed, where there is a wrapping key (gateway/keys).
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from cext.decoder import KeyState
from gateway import registry as terminals
from gateway.keys import key_file
from gateway.keys.wrapping import WrappingKeys
from gateway.registry import Registry, Terminal
from gateway.rotation.store import FILE, looking
from protocol.host.strict import ConfigError, Problem

KEY, FACTOR = "key", "factor"


def over(registry: Registry, connection: sqlite3.Connection | None, now_ms: int) -> Registry:
    """The registry with the keys that were agreed on, without those whose time is over; None: as it is.

    Where terminals.toml has that generation too, a technician has laid a key since: that counts. Where it has a higher
    one, both do until the terminal uses it: the board that is replaced serves until the other hangs in its place.
    Raises ValueError: a key can't be opened; it is not shown.
    """
    if connection is None:
        return registry
    names = [name for (name,) in connection.execute("SELECT terminal FROM secrets UNION SELECT terminal FROM retired")]
    return registry.replaced(changed(registry, connection, now_ms, names))


def changed(
    registry: Registry, connection: sqlite3.Connection, now_ms: int, names: Iterable[str]
) -> Iterator[Terminal]:
    """Those of these terminals that are admitted, likewise."""
    for name in names:
        one = registry.get(name)
        if one is not None:
            yield _with(one, _kept(connection, registry.wrapping, name), _retired(connection, now_ms, name))


def load(path: Path, folder: Path, now_ms: int) -> Registry:
    """terminals.toml with what was agreed on since. folder: data_dir. Raises ConfigError."""
    registry = terminals.load(path)
    try:
        with looking(folder) as connection:
            return over(registry, connection, now_ms)
    except (sqlite3.Error, ValueError) as error:
        raise unusable(folder, error) from error


def load_keys(path: Path, folder: Path) -> dict[str, dict[int, KeyState]]:
    """Every key that there ever was, of terminals.toml and agreed on: to prove what came once. Raises ConfigError."""
    found = terminals.load_keys(path)
    wraps = terminals.wrapping_at(path)
    try:
        with looking(folder) as connection:
            if connection is not None:
                for (name,) in connection.execute("SELECT DISTINCT terminal FROM secrets").fetchall():
                    found[name] = {**_kept(connection, wraps, name), **found.get(name, {})}
    except (sqlite3.Error, ValueError) as error:
        raise unusable(folder, error) from error
    return found


def unusable(folder: Path, error: Exception) -> ConfigError:
    """That the keys which were agreed on can't be read."""
    return ConfigError([Problem(folder / FILE, "secrets", f"can't be used / 无法使用: {error}")])


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
        "SELECT line FROM secrets WHERE terminal = ? AND generation = ? AND kind = ?", (terminal, generation, kind)
    ).fetchone()
    return None if row is None else key_file.opened(row[0].encode(), name_of(terminal, generation, kind), wraps)


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


def lines(connection: sqlite3.Connection) -> Iterator[tuple[tuple[str, int, str], str]]:
    """Every secret as it lies there, by its place."""
    for terminal, generation, kind, line in connection.execute("SELECT terminal, generation, kind, line FROM secrets"):
        yield (terminal, generation, kind), line


def name_of(terminal: str, generation: int, kind: str) -> str:
    """What a secret is sealed for."""
    name = key_file.name_of(terminal, generation)
    return name if kind == KEY else f"{name}.{kind}"


def _with(one: Terminal, kept: Mapping[int, KeyState], retired: set[int]) -> Terminal:
    found = {**kept, **one.states}
    highest = max(found, default=0)
    return replace(one, states={key: state for key, state in found.items() if key == highest or key not in retired})


def _kept(connection: sqlite3.Connection, wraps: WrappingKeys, terminal: str) -> dict[int, KeyState]:
    rows = connection.execute(
        "SELECT generation, line FROM secrets WHERE terminal = ? AND kind = ?", (terminal, KEY)
    ).fetchall()
    return {
        generation: KeyState(key_file.opened(line.encode(), name_of(terminal, generation, KEY), wraps))
        for generation, line in rows
    }


def _retired(connection: sqlite3.Connection, now_ms: int, terminal: str) -> set[int]:
    rows = connection.execute("SELECT generation FROM retired WHERE terminal = ? AND at_ms <= ?", (terminal, now_ms))
    return {generation for (generation,) in rows}
