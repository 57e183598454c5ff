"""A gateway's files for terminals that are alike, and the terminals in them."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from hil.benchmarks.ingest.load import POINTS, SECRET


class Admitted(NamedTuple):
    """A terminal that the gateway knows; those of the benchmarks share a key and are alike."""

    name: str
    secret: bytes = SECRET
    points: int = POINTS


def write_config(folder: Path, port: int, terminals: Iterable[Admitted], more: str = "") -> Path:
    """gateway.toml for a broker on this port, terminals.toml and keys in the folder. more: of gateway.toml."""
    keys: dict[bytes, str] = {}
    entries = []
    for one in terminals:
        if one.secret not in keys:
            keys[one.secret] = f"{len(keys)}.key"
            key = folder / keys[one.secret]
            key.touch(mode=0o600)
            key.write_text(one.secret.hex())
        entries.append(
            f'[[terminal]]\nid = "{one.name}"\nkeys = [{{generation = 1, file = "{keys[one.secret]}"}}]\n'
            f"points = [{_points(one.points)}]\n"
        )
    (folder / "terminals.toml").write_text("".join(entries))
    config = folder / "gateway.toml"
    config.write_text(
        'data_dir = "data"\nterminals = "terminals.toml"\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n[metrics]\nport = 0\n{more}'
    )
    return config


@lru_cache
def _points(count: int) -> str:
    return ", ".join(
        f'{{number = {number}, name = "p{number}", kind = "production", rated_power_w = 200000}}'
        for number in range(1, count + 1)
    )
