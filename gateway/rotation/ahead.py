"""Terminals whose key is newer than all that are here, as after a restore: they can't be heard. Reads alone."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from gateway.quarantine.quarantine import QuarantineReader
from gateway.registry import Registry
from gateway.rotation import keyring
from gateway.rotation.store import FILE, looking
from protocol import mac
from protocol.errors import FrameError
from protocol.host.strict import Problem

DO = "take back a newer rotation.sqlite3, else a technician lays a key / 换回较新的 rotation.sqlite3，或现场写入密钥"


def than(replaced: Path, data_dir: Path) -> list[str]:
    """The terminals that agreed on a newer key by what was replaced than by what stands in data_dir now.

    Raises sqlite3.Error.
    """
    with looking(replaced) as before, looking(data_dir) as now:
        known = keyring.newest(now)
        return sorted(name for name, newest in keyring.newest(before).items() if newest > known.get(name, 0))


def warnings(data_dir: Path, registry: Registry) -> list[Problem]:
    """Of each such terminal: what it seals by, as its newest frame that was refused for its key's generation says.

    Nothing proves that frame: who may publish under the terminal's name can say any generation.
    """
    try:
        with looking(data_dir) as connection:
            agreed = keyring.newest(connection)
        with closing(QuarantineReader(data_dir)) as quarantine:
            refused = quarantine.newest_of_each("kid")
    except sqlite3.Error:
        return []  # no gateway has run here yet; or who owns the store says so
    found = []
    for kept in refused:
        newest, said = _newest(registry, kept.refused.source, agreed), _generation(kept.refused.data)
        if 0 < newest < said:
            text = f"seals by key {said}, and the newest here is {newest} / 终端密钥比网关新，无法接收; {DO}"
            found.append(Problem(data_dir / FILE, kept.refused.source, text))
    return found


def _newest(registry: Registry, name: str, agreed: Mapping[str, int]) -> int:
    """The highest generation of an admitted terminal that is here; 0: it is not admitted."""
    one = registry.get(name)
    return 0 if one is None else max(agreed.get(name, 0), *one.key_files, *one.states, 0)


def _generation(data: bytes) -> int:
    """The key's that a frame says it is sealed by."""
    try:
        return mac.Envelope(data).generation
    except FrameError:  # only its beginning was kept
        return 0
