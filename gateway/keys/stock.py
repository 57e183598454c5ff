"""All keys of a gateway: sealed, unsealed, looked through. A cut leaves each as it was or as it is to be.

A sealed file and one in plain are read by the same gateway, so that nothing need stop while files change one by one.
"""

import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from gateway import registry
from gateway.commissioning import sealing_key
from gateway.config import GatewayConfig
from gateway.database import NewerSchemaError, StoreUnavailableError
from gateway.files import read_secret, write_durably
from gateway.keys import key_file, wrapping
from gateway.keys.wrapping import MissingWrapError, WrappingKeys
from gateway.rotation import keyring
from gateway.rotation import store as rotation
from protocol.host.strict import Problem, read

SEALED, OLDER, PLAIN = "sealed", "older", "plain"  # older: under a wrapping key that seals no more


class StockError(Exception):
    """A key file is not as it should be: nothing was changed in it, nor in those after it."""


class Held(NamedTuple):
    """A key file, and whose key it holds. place: of one that was agreed on over the air; it lies in that store."""

    file: Path
    name: str
    place: tuple[str, int, str] | None = None


class Stock:
    """The keys that there are: of terminals.toml, revoked terminals' too, agreed on over the air, our sealing key."""

    def __init__(self, config: GatewayConfig) -> None:
        """Raises ConfigError."""
        path, self._data = Path(config.terminals), Path(config.data_dir)
        content = read(path, registry.RegistryFile)
        folder = path.resolve().parent
        self.wrapping_key_file = folder / content.wrapping_key_file if content.wrapping_key_file else None
        self.wrapping = registry.wrapping_of(path, content)
        held = [
            Held(folder / key.file, key_file.name_of(entry.id, key.generation))
            for entry in content.terminal
            for key in entry.keys
        ]
        held.append(Held(Path(config.commissioning.sealing_key_file), sealing_key.NAME))
        self.held = [one for one in held if one.file.exists()]  # a revoked terminal's may be gone, ours not made yet

    def states(self) -> Iterator[tuple[Held, str, bytes]]:
        """(file, state, its key), each. Raises StockError at the first that can't be opened, or is named twice."""
        seen: dict[Path, str] = {}
        for one in self.held:
            if (other := seen.setdefault(one.file.resolve(), one.name)) != one.name:
                text = f"the file of {other} and of {one.name}: give each its own / 密钥文件被重复引用"
                raise StockError(f"{one.file}: {text}")
            try:
                line = read_secret(one.file)
                yield one, self._state(line), key_file.opened(line, one.name, self.wrapping)
            except OSError as error:
                raise StockError(f"{one.file}: {error.strerror}") from error
            except ValueError as error:
                raise StockError(f"{one.file}: {error}") from error
        yield from self._agreed()

    def counted(self) -> tuple[Counter[str], list[list[str]]]:
        """(files by state, the names that have one key in common). Raises StockError."""
        states, names = Counter[str](), dict[bytes, list[str]]()
        for one, state, secret in self.states():
            states[state] += 1
            names.setdefault(secret, []).append(one.name)
        return states, [those for those in names.values() if len(those) > 1]

    def unread(self) -> list[str]:
        """The keys that were agreed on over the air and have rotted: whose, and what is wrong. Raises StockError.

        Nothing brings them back but a copy: they keep no other from being sealed.
        """
        found = []
        for one, line in self._lines():
            try:
                key_file.opened(line, one.name, self.wrapping)
            except ValueError as error:
                found.append(f"{one.file}, {one.name}: {error}")
        return found

    def draw(self) -> None:
        """Put another wrapping key in front of those in the file that terminals.toml names. Raises OSError."""
        if self.wrapping_key_file is not None:
            newest, others = secrets.token_hex(key_file.KEY_BYTES).encode(), read_secret(self.wrapping_key_file)
            _replace(self.wrapping_key_file, b"%s\n%s\n" % (newest, others))

    def seal(self) -> int:
        """Seal what is in plain or under an older wrapping key: how many. Raises StockError, OSError."""
        self.counted()  # all can be opened, before the first is changed
        return sum(self._put(one, secret, self.wrapping) for one, state, secret in self.states() if state != SEALED)

    def unseal(self) -> int:
        """Lay all in plain: how many. Raises StockError, OSError."""
        self.counted()
        return sum(self._put(one, secret, WrappingKeys()) for one, state, secret in self.states() if state != PLAIN)

    def warnings(self, path: Path) -> list[Problem]:
        """What can be used and should not be: keys in plain where there is a wrapping key. path: of terminals.toml."""
        if not self.wrapping:
            return []
        try:
            states, _ = self.counted()
        except StockError as error:
            return [Problem(path, "keys", str(error))]
        open_ones = states[PLAIN] + states[OLDER]
        text = f"{open_ones} key files are not sealed / 个密钥文件未加密; do / 执行: wattline gateway keys seal"
        return [Problem(path, "keys", text)] if open_ones else []

    def _state(self, line: bytes) -> str:
        if not wrapping.is_sealed(line):
            return PLAIN
        return SEALED if self.wrapping and wrapping.wrap_of(line) == self.wrapping.first else OLDER

    def _agreed(self) -> Iterator[tuple[Held, str, bytes]]:
        """Likewise, of the keys that were agreed on over the air, but those that have rotted."""
        for one, line in self._lines():
            try:
                yield one, self._state(line), key_file.opened(line, one.name, self.wrapping)
            except MissingWrapError as error:  # it is the wrapping key that lacks
                raise StockError(f"{one.file}, {one.name}: {error}") from error
            except ValueError:
                continue  # `unread` names it

    def _lines(self) -> list[tuple[Held, bytes]]:
        """What lies in the store of the keys that were agreed on."""
        file = self._data / rotation.FILE
        try:
            with rotation.looking(self._data) as connection:
                found = list(keyring.lines(connection)) if connection else []
        except sqlite3.Error as error:
            raise StockError(f"{file}: {error}") from error
        return [(Held(file, keyring.name_of(*place), place), line) for place, line in found]

    def _put(self, one: Held, secret: bytes, wraps: WrappingKeys) -> int:
        if one.place is not None:
            self._lay(one.place, secret, wraps)
            return 1
        _replace(one.file, key_file.lines(secret, one.name, wraps))
        return 1

    def _lay(self, place: tuple[str, int, str], secret: bytes, wraps: WrappingKeys) -> None:
        try:
            store = rotation.Store(self._data)
            with closing(store), store.writing() as connection:
                keyring.lay(connection, place, secret, wraps)
        except (StoreUnavailableError, NewerSchemaError) as error:
            raise StockError(str(error)) from error


def _replace(file: Path, content: bytes) -> None:
    """In its place, with its owner and mode: where that is a link, the file that it leads to, which holds the key."""
    write_durably(file.resolve(), content, like=file.stat())
