"""When certificates end that a fleet lives by: terminals', brokers', authorities'. Reads alone.

What a terminal has in force it says itself, where the gateway sent it (gateway/rotation), until that is revoked. What a
technician laid stands in the authority's folder alone (gateway/pki): of a name's certificates that count, the last to
end is taken.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from cryptography import x509

from gateway.config import GatewayConfig
from gateway.database import StoreUnavailableError, schema_version
from gateway.pki.folder import Folder, Known, PkiError
from gateway.registry import Registry
from gateway.rotation import certificates
from gateway.rotation import store as rotation

LOOK_EVERY_S = 1_800  # within the 45 minutes after which an alarm that is not seen again has ended (changes.py)
UNREADABLE = (OSError, ValueError, x509.InvalidVersion, PkiError, sqlite3.Error, StoreUnavailableError)
Unread = Callable[[str, Exception], None]  # told of a source that can't be read, and why


class Ends(NamedTuple):
    """Unix s, by terminal; by what an alarm calls a certificate that is no terminal's."""

    terminals: dict[str, int]
    others: dict[str, int]


class Sources(NamedTuple):
    """named: `certificates` of gateway.toml. believed: files of authorities by which the gateway knows its servers."""

    named: Sequence[str]
    believed: Sequence[str]


def sources(config: GatewayConfig, channels: Sequence[object] = ()) -> Sources:
    """As gateway.toml says, and channels.toml."""
    sections = (config.mqtt, config.jetstream, config.console.oidc, *config.sink, *channels)
    files = {file for section in sections if (file := getattr(section, "tls_ca_file", None))}
    return Sources(config.certificates, sorted(files))


def ends(data_dir: Path, of: Sources, unread: Unread) -> Ends:
    """All that can be read, each by itself."""
    sent, untaken, revoked = dict[str, x509.Certificate](), set[int](), set[int]()
    terminals, others = dict[str, int](), dict[str, int]()
    with _reading(rotation.FILE, unread):
        sent, untaken = _of_store(data_dir)
    for name in of.named:
        with _reading(name, unread):
            if Path(name).is_dir():
                with _reading(name, unread):
                    others[_subject(name)] = min(_in_file(Path(name) / "ca.pem"))
                known = list(Folder(Path(name)).known(partial(unread, name)))
                revoked |= {one.serial for one in known if one.revoked_s}
                _add((one for one in known if not (one.revoked_s or one.serial in untaken)), terminals, others)
            else:
                others[_subject(name)] = min(_in_file(Path(name)))  # with what stands between it and an authority
    for name in of.believed:
        with _reading(name, unread):
            others.setdefault(_subject(name), max(_in_file(Path(name))))  # while one is good, what it vouches for is
    in_force = {name: _end_s(one) for name, one in sent.items() if one.serial_number not in revoked}
    return Ends(terminals | in_force, others)


def warnings(data_dir: Path, of: Sources, registry: Registry, until_s: int) -> list[str]:
    """What an operator should know before anything is changed: what can't be read, and what ends by then."""
    found = list[str]()
    all_ends = ends(data_dir, of, lambda name, error: found.append(f"{name}: can't be read / 无法读取: {error}"))
    for name, end_s in sorted(all_ends.others.items()):
        if end_s <= until_s:
            found.append(f"{name}: ends {datetime.fromtimestamp(end_s, UTC):%Y-%m-%d} / 到期")
    admitted = (end_s for name, end_s in all_ends.terminals.items() if registry.get(name) is not None)
    if count := sum(end_s <= until_s for end_s in admitted):
        found.append(f"{count} terminals' certificates end soon / 个终端的证书即将到期: gateway alarms list")
    return found


@contextmanager
def _reading(name: str, unread: Unread) -> Iterator[None]:
    """What can't be read is told, and costs nothing else."""
    try:
        yield
    except UNREADABLE as error:
        unread(name, error)


def _of_store(data_dir: Path) -> tuple[dict[str, x509.Certificate], set[int]]:
    """(what we sent and is in force, by terminal; serials of what we sent and is not)."""
    with rotation.looking(data_dir) as connection:
        if connection is None or schema_version(connection) < rotation.CERTIFICATES_SINCE:
            return {}, set()
        return certificates.in_force(connection), certificates.serials_not_taken(connection)


def _add(counting: Iterable[Known], terminals: dict[str, int], others: dict[str, int]) -> None:
    for one in counting:
        into, name = (others, _subject(one.name)) if one.is_server else (terminals, one.name)
        into[name] = max(into.get(name, 0), int(one.end.timestamp()))


def _in_file(file: Path) -> Iterator[int]:
    return map(_end_s, x509.load_pem_x509_certificates(file.read_bytes()))


def _end_s(one: x509.Certificate) -> int:
    return int(one.not_valid_after_utc.timestamp())


def _subject(name: str) -> str:
    return f"certificate {name}"
