"""The authority's folder: its key (encrypted), its certificate, what it issued, and what it revoked.

ca.pem, ca.key         the authority
issued/NAME.SERIAL.pem each certificate that was issued; no key of anybody else is kept
revoked.json           serial (hex) to when, Unix s
revoked.pem            the same as the list that brokers read (RFC 5280, 5)
"""

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cryptography import x509

from gateway.files import write_durably, write_secret
from gateway.pki import authority
from gateway.pki.authority import DER, PEM, SERVER, Authority, Issued

PASSPHRASE_CHARS_MIN = 12
_NAME = re.compile(r"[A-Za-z0-9*_-][A-Za-z0-9._:-]{0,63}|::[0-9A-Fa-f:.]*")  # of a file too; X.520 has 64 characters


class PkiError(Exception):
    """What can't be done, and what to do; English and Chinese."""


class Known(NamedTuple):
    """A certificate that was issued. revoked_s: 0: it counts."""

    name: str
    serial: int
    is_server: bool
    end: datetime
    revoked_s: int


@dataclass(frozen=True)
class Folder:
    """An authority's folder."""

    path: Path

    def create(self, name: str, passphrase: str) -> None:
        """Make the authority. Raises PkiError where there is one already, OSError."""
        if self._ca.exists() or self._key.exists():
            raise PkiError(f"{self.path}: has an authority already / 已有证书机构")
        if len(passphrase) < PASSPHRASE_CHARS_MIN:
            raise PkiError(f"a passphrase has {PASSPHRASE_CHARS_MIN} characters or more / 口令过短")
        made = Authority.create(name)
        (self.path / "issued").mkdir(mode=0o700, parents=True, exist_ok=True)
        write_secret(self._key, made.key_file(passphrase.encode()).decode("ascii"))
        write_durably(self._ca, made.own.certificate_bytes(PEM))
        self._write_revoked(made, {})

    def open(self, passphrase: str) -> Authority:
        """The authority. Raises PkiError: there is none, or another passphrase."""
        try:
            return authority.opened(self._ca.read_bytes(), self._key.read_bytes(), passphrase.encode())
        except OSError as error:
            raise PkiError(f"{self.path}: no authority here, make one by `init` / 没有证书机构: {error}") from error
        except (ValueError, TypeError) as error:
            raise PkiError(f"{self._key}: not opened by this passphrase / 口令错误或文件损坏") from error

    def issue(self, own: Authority, name: str, use: x509.ObjectIdentifier, out: Path) -> Issued:
        """A certificate and key into `out`: a server's as PEM, a terminal's as DER, which is what boards read.

        The key is written there alone. An older certificate of the name counts on until it is revoked: its owner
        changes over while both do. Raises OSError, PkiError: `out` has a key already, or this is no host's name.
        """
        if _NAME.fullmatch(name) is None:
            raise PkiError(f"{name}: no host's name or address / 不是主机名或地址")
        issued = own.issue(name, use=use)
        files = _files(own, issued, is_server=use == SERVER)
        there = [out / file for file in files if "key" in file and (out / file).exists()]
        if there:
            raise PkiError(f"{there[0]}: is there already; take it to its owner first / 文件已存在")
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        # before anybody has the key: what is not known here can't be revoked
        serial = issued.certificate.serial_number
        write_durably(self.path / "issued" / f"{name}.{serial:x}.pem", issued.certificate_bytes(PEM))
        for file, data in files.items():
            write_durably(out / file, data, mode=0o600 if "key" in file else 0o644)
        return issued

    def revoke(self, own: Authority, name: str, now: datetime) -> list[int]:
        """All certificates of a name that still count; their serials. Raises PkiError where there is none, OSError."""
        with self._alone():
            serials = [one.serial for one in self.known() if one.name == name and not one.revoked_s]
            if not serials:
                raise PkiError(f"{name}: has no certificate that counts / 没有有效证书")
            self._write_revoked(own, self._revoked() | dict.fromkeys(serials, int(now.timestamp())))
        return serials

    def known(self) -> Iterator[Known]:
        """What was issued, by name. Raises PkiError: what was revoked can't be read, OSError."""
        revoked = self._revoked()
        for file in sorted((self.path / "issued").glob("*.pem")):
            one = x509.load_pem_x509_certificate(file.read_bytes())
            use = one.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
            name = file.name.rsplit(".", 2)[0]
            since_s = revoked.get(one.serial_number, 0)
            yield Known(name, one.serial_number, SERVER in use, one.not_valid_after_utc, since_s)

    @property
    def _ca(self) -> Path:
        return self.path / "ca.pem"

    @property
    def _key(self) -> Path:
        return self.path / "ca.key"

    def _revoked(self) -> dict[int, int]:
        file = self.path / "revoked.json"
        try:
            found = json.loads(file.read_text("ascii"))
            return {int(serial, 16): int(since_s) for serial, since_s in found.items()}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            text = "what was revoked can't be read; put its backup back / 吊销记录无法读取，请恢复备份"
            raise PkiError(f"{file}: {text}: {error}") from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else revokes meanwhile: a list that was read before would lose what another put into it."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write_revoked(self, own: Authority, revoked: dict[int, int]) -> None:
        """The list first: where only that was written, the same is revoked again."""
        since = {serial: datetime.fromtimestamp(since_s, UTC) for serial, since_s in revoked.items()}
        write_durably(self.path / "revoked.pem", own.revocations(since, datetime.now(UTC)))
        text = json.dumps({f"{serial:x}": since_s for serial, since_s in sorted(revoked.items())}, indent=1)
        write_durably(self.path / "revoked.json", text.encode("ascii"))


def _files(own: Authority, issued: Issued, *, is_server: bool) -> dict[str, bytes]:
    if is_server:
        return {
            "server.key": issued.key_bytes(PEM),
            "ca.pem": own.own.certificate_bytes(PEM),
            "server.pem": issued.certificate_bytes(PEM),
        }
    return {
        "client.key.der": issued.key_bytes(DER),
        "ca.der": own.own.certificate_bytes(DER),
        "client.der": issued.certificate_bytes(DER),
    }
