"""technicians.toml: whose enrolments and reports are taken.

[[technician]]
name = "li.wei"
key = "64 hex digits"                      # `wattline field technician-key` prints it
revoked = 2026-09-01T00:00:00Z             # nothing that comes from now on is taken
"""

from pathlib import Path
from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.registry import Instant
from protocol.host.strict import ConfigError, lines_named, read
from protocol.host.tables import Section, duplicates

Known = dict[str, Ed25519PublicKey]  # by name
KeyText = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$", description="64 hex digits / 64 个十六进制数字")]
SignerName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="1 to 64 characters of A-Z a-z 0-9 . _ - / 1 到 64 个字符：A-Z a-z 0-9 . _ -",
    ),
]


class TechnicianEntry(Section, frozen=True):
    """[[technician]]"""

    name: SignerName
    key: KeyText
    revoked: Instant | None = None


class TechniciansFile(Section, frozen=True):
    """The whole file."""

    technician: list[TechnicianEntry] = msgspec.field(default_factory=list)


def load(path: Path) -> Known:
    """The keys of those who are not revoked, by name. Raises ConfigError."""
    entries = read(path, TechniciansFile).technician
    problems = duplicates(path, "technician", "name", entries, lambda one: one.name)
    problems += duplicates(path, "technician", "key", entries, lambda one: one.key)
    if problems:
        with lines_named(path):
            raise ConfigError(problems)
    return {one.name: Ed25519PublicKey.from_public_bytes(bytes.fromhex(one.key)) for one in entries if not one.revoked}
