"""The table of bundles: imported once every byte of them is checked, and kept for whoever is to get them."""

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from protocol import p256, update
from protocol.host import bundle
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


class KeysError(Exception):
    """A file of release keys that can't be used: says what is wrong with it."""


def load_keys(path: Path) -> list[bytes]:
    """The release keys' points in the file that `wattline field bundle trust` writes. Raises KeysError, OSError."""
    with path.open("rb") as stream:
        data = stream.read(KEYS_BYTES_MAX + 1)
    try:
        points = [bytes.fromhex(one) for one in json.loads(data)["keys"]]
    except (ValueError, TypeError, KeyError) as error:
        raise KeysError(f'{path}: {error}; allowed / 允许: {{"keys": ["POINT IN HEX", ...]}}') from error
    if not points or not all(p256.point_of(one) for one in points):
        raise KeysError(f"{path}: no keys, or not P-256 points / 没有公钥，或不是 P-256 公钥")
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
    """Of all for this board, which the gateway vouches for (FR-82); 0: there is none."""
    (number,) = connection.execute("SELECT max(number) FROM bundles WHERE board = ?", (board,)).fetchone()
    return int(number or 0)
