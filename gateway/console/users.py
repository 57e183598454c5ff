"""users.toml: who may look at the console, and who may change something. Passwords stand in it as scrypt hashes.

[[user]]
name = "wang"
role = "operator"                 # viewer: looks; operator: acts on alarms, gaps, quarantine; admin: terminals too
password = "scrypt$..."           # made by `wattline gateway console-user`
"""

import base64
import hashlib
import hmac
import os
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec

from gateway.files import give_to_owner_of, write_durably
from protocol.host.strict import ConfigError, Problem, lines_named, read
from protocol.host.tables import Name, Section, duplicates

PASSWORD_CHARS_MIN = 10
PASSWORD_CHARS_MAX = 128  # scrypt takes any length, and a request must not make it take a long one
_COST, _BLOCK, _LANES = 2**14, 8, 5  # OWASP's password storage cheat sheet: 16 MiB, some 50 ms
_SALT_BYTES, _HASH_BYTES = 16, 32
Hash = Annotated[str, msgspec.Meta(pattern=r"^scrypt\$[A-Za-z0-9+/=]{24}\$[A-Za-z0-9+/=]{44}$")]


class Role(IntEnum):
    """What somebody may do: all that a lower one may, and more."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


RoleName = Literal["viewer", "operator", "admin"]


class UserEntry(Section, frozen=True):
    """[[user]]: one table of the file."""

    name: Name
    role: RoleName
    password: Hash

    def __repr__(self) -> str:
        return f"UserEntry({self.name}, {self.role})"


class UsersFile(Section, frozen=True):
    """The whole file."""

    user: list[UserEntry] = msgspec.field(default_factory=list)


class User(NamedTuple):
    """Somebody who has logged in."""

    name: str
    role: Role


class Users:
    """Those of the file."""

    def __init__(self, entries: list[UserEntry]) -> None:
        self._entries = {one.name: one for one in entries}
        self._nobody = hashed(os.urandom(_SALT_BYTES).hex())  # a name that is not there costs as much time

    def login(self, name: str, password: str) -> User | None:
        """The user whose name and password these are; as slow where there is none."""
        entry = self._entries.get(name)
        if not _is_of(password, entry.password if entry else self._nobody) or entry is None:
            return None
        return User(entry.name, Role[entry.role.upper()])

    def __len__(self) -> int:
        return len(self._entries)


def load(path: Path) -> Users:
    """The file. Raises ConfigError with all problems: also where others than its owner may read it."""
    entries = read(path, UsersFile).user
    problems = duplicates(path, "user", "name", entries, lambda one: one.name)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        problems.append(Problem(path, "", "others can read it / 其他用户可读; allowed / 允许: mode 600"))
    if problems:
        with lines_named(path):
            raise ConfigError(problems)
    return Users(entries)


def put(path: Path, entry: UserEntry) -> int:
    """Add a user to the file, or replace the one of that name; the file is replaced as a whole. Returns how many.

    Whose it was, or the folder is, its new content is: root names users, and the console reads them. Raises
    ConfigError, OSError.
    """
    known = {one.name: one for one in (read(path, UsersFile).user if path.exists() else [])} | {entry.name: entry}
    text = "".join(
        f'[[user]]\nname = "{one.name}"\nrole = "{one.role}"\npassword = "{one.password}"\n\n' for one in known.values()
    )
    is_new = not path.exists()
    write_durably(path, text.encode(), mode=0o600, like=None if is_new else path.stat())
    if is_new:
        give_to_owner_of(path.parent, path)
    return len(known)


def hashed(password: str) -> str:
    """A password as the file has it, with a salt of its own."""
    salt = os.urandom(_SALT_BYTES)
    return f"scrypt${_text(salt)}${_text(_scrypt(password, salt))}"


def _is_of(password: str, kept: str) -> bool:
    _, salt, found = kept.split("$")
    return hmac.compare_digest(_scrypt(password, base64.b64decode(salt)), base64.b64decode(found))


def _scrypt(password: str, salt: bytes) -> bytes:
    data = password[:PASSWORD_CHARS_MAX].encode()
    return hashlib.scrypt(data, salt=salt, n=_COST, r=_BLOCK, p=_LANES, dklen=_HASH_BYTES, maxmem=64 << 20)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
