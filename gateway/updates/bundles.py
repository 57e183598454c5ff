"""The table of bundles: imported once every byte of them is checked, and kept for whoever is to get them."""

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from protocol import p256, update
from protocol.host import bundle
from protocol.host.strict import ConfigError, Problem
from protocol.update import UpdateError

KEYS_BYTES_MAX = 4096  # update_keys.json: four keys take 600


class Bundle(NamedTuple):
    """A release as it goes down. version: as people say it; best_before_s: Unix s."""

    number: int
    board: str
    version: str
    best_before_s: int
    signed: bytes
    payload: bytes


def load_keys(path: Path) -> list[bytes]:
    """The release keys' points in the file that `wattline field bundle trust` writes. Raises ConfigError."""
    try:
        with path.open("rb") as stream:
            points = [bytes.fromhex(one) for one in json.loads(stream.read(KEYS_BYTES_MAX))["keys"]]
    except OSError as error:
        raise ConfigError([Problem(path, "", f"can't be read / 无法读取: {error.strerror}")]) from error
    except (ValueError, TypeError, KeyError) as error:
        text = f'{type(error).__name__}: {error}; allowed / 允许: {{"keys": ["POINT IN HEX", ...]}}'
        raise ConfigError([Problem(path, "keys", text)]) from error
    if not 1 <= len(points) <= update.KEYS_MAX or not all(p256.point_of(one) for one in points):
        text = f"allowed / 允许: 1 to {update.KEYS_MAX} points of P-256 / 1 至 {update.KEYS_MAX} 个 P-256 公钥"
        raise ConfigError([Problem(path, "keys", text)])
    return points


def checked(data: bytes, points: Iterable[bytes], now_s: int) -> Bundle:
    """The bundle in these bytes of a file: signed by one of these keys, whole, and in date. Raises UpdateError."""
    found = bundle.read(data, points)
    one = found.manifest
    if now_s >= one.best_before_s:
        raise UpdateError(update.EXPIRED)
    return Bundle(one.number, one.board, one.version, one.best_before_s, found.signed, found.payload)


def keep(connection: sqlite3.Connection, one: Bundle, now_ms: int) -> None:
    """Keep it. Raises UpdateError: older than another one for the board, or another one has its number."""
    newest = newest_number(connection, one.board)
    if one.number < newest:
        raise UpdateError(update.SUPERSEDED, f"{newest}")
    if one.number == newest:
        if get(connection, one.number, one.board) != one:
            raise UpdateError(update.STALE, f"{newest}")
        return
    connection.execute(
        "INSERT INTO bundles (number, board, version, best_before_s, signed, payload, imported_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*one, now_ms),
    )


def get(connection: sqlite3.Connection, number: int, board: str) -> Bundle:
    """One of them. Raises KeyError."""
    row = connection.execute(
        "SELECT number, board, version, best_before_s, signed, payload FROM bundles WHERE number = ? AND board = ?",
        (number, board),
    ).fetchone()
    if row is None:
        raise KeyError(f"{number} {board}")
    return Bundle(*row)


def newest_number(connection: sqlite3.Connection, board: str) -> int:
    """Of all for this board; 0: there is none."""
    (number,) = connection.execute("SELECT max(number) FROM bundles WHERE board = ?", (board,)).fetchone()
    return int(number or 0)
