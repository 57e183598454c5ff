"""The authority's folder: its key (encrypted), its certificate, what it issued, and what it revoked.

ca.pem, ca.key         the authority
ca.next.pem, .key      the one that takes its place, while terminals change over: it issues, both are believed
authorities.pem        the certificates of those that are believed, for brokers
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
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from gateway.files import sync_folder, write_durably, write_secret
from gateway.pki import authority
from gateway.pki.authority import CLIENT, DER, END, PEM, SERVER, Authority, Issued

PASSPHRASE_CHARS_MIN = 12
YEARS = 20  # of an authority that takes another one's place
_NONE_HERE = "no authority here, make one by `init` / 没有证书机构"
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
        self._write_lists([made], {})

    def open(self, passphrase: str) -> list[Authority]:
        """Those that are believed: the first one issues. Raises PkiError: there is none, or another passphrase."""
        try:
            return [
                authority.opened(ca.read_bytes(), key.read_bytes(), passphrase.encode()) for ca, key in self._pairs()
            ]
        except OSError as error:
            raise PkiError(f"{self.path}: {_NONE_HERE}: {error}") from error
        except (ValueError, TypeError) as error:
            raise PkiError(f"{self._key}: not opened by this passphrase / 口令错误或文件损坏") from error

    def roll(self, name: str, passphrase: str, now: datetime) -> list[Authority]:
        """Begin with another authority: from now on it issues, and both are believed. Raises PkiError, OSError."""
        with self._alone():
            return self._roll(name, passphrase, now)

    def _roll(self, name: str, passphrase: str, now: datetime) -> list[Authority]:
        if self._next_ca.exists():
            text = "is being changed already; end that by `roll-ca --finish` / 正在更换，请先完成"
            raise PkiError(f"{self.path}: {text}")
        (before,) = self.open(passphrase)
        if name == before.name:
            raise PkiError(f"{name}: the name of the one there is; another one / 与现有机构重名")
        made = Authority.create(name, end=max(END, now + timedelta(days=YEARS * 365)))
        self._next_key.unlink(missing_ok=True)  # of a change that was cut off before it began
        write_secret(self._next_key, made.key_file(passphrase.encode()).decode("ascii"))
        self._write_lists([made, before], self._revoked())
        write_durably(self._next_ca, made.own.certificate_bytes(PEM))  # decides
        return [made, before]

    def finish(self, passphrase: str) -> Authority:
        """The next authority takes the place of the one before, which nobody believes from now on: its key is gone.

        Cut off at any moment, it can be called again. Raises PkiError, OSError.
        """
        with self._alone():
            return self._finish(passphrase)

    def _finish(self, passphrase: str) -> Authority:
        own = self.open(passphrase)[0]
        if not self._next_ca.exists():
            raise PkiError(f"{self.path}: no authority is being changed, begin by `roll-ca` / 没有进行中的更换")
        if self._next_key.exists():
            self._next_key.rename(self._key)
            sync_folder(self.path)
        self._write_lists([own], self._revoked())
        self._next_ca.rename(self._ca)
        sync_folder(self.path)
        return own

    def renew(self, own: list[Authority], name: str, end: datetime | None, out: Path) -> x509.Certificate:
        """Another certificate over a terminal's own key, with the authorities to believe: `out`/NAME.der, to be sent.

        Raises PkiError where it has none that counts, or the authority ends before, OSError.
        """
        before = [one for one in self.known() if one.name == name and not one.revoked_s and not one.is_server]
        if not before:
            raise PkiError(f"{name}: has no certificate that counts, issue one by `terminal` / 没有有效证书")
        newest = max((self._issued(one) for one in before), key=lambda one: one.stat().st_mtime_ns)
        key = x509.load_pem_x509_certificate(newest.read_bytes()).public_key()
        made = own[0].certify(name, cast("EllipticCurvePublicKey", key), end=_end_within(own[0], end), use=CLIENT)
        write_durably(self.path / "issued" / f"{name}.{made.serial_number:x}.pem", made.public_bytes(PEM))
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        parts = [made.public_bytes(DER), *(one.own.certificate_bytes(DER) for one in own)]
        write_durably(out / f"{name}.der", b"".join(parts))
        return made

    def issue(
        self, own: list[Authority], name: str, use: x509.ObjectIdentifier, out: Path, end: datetime | None = None
    ) -> Issued:
        """A certificate and key into `out`: a server's as PEM, a terminal's as DER, which is what boards read.

        The key is written there alone. An older certificate of the name counts on until it is revoked: its owner
        changes over while both do. Raises OSError, PkiError: `out` has a key already, this is no host's name, or the
        authority ends before.
        """
        if _NAME.fullmatch(name) is None:
            raise PkiError(f"{name}: no host's name or address / 不是主机名或地址")
        issued = own[0].issue(name, end=_end_within(own[0], end), use=use)
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

    def revoke(self, own: list[Authority], name: str, now: datetime) -> list[int]:
        """All certificates of a name that still count; their serials. Raises PkiError where there is none, OSError."""
        with self._alone():
            if [one.own.certificate for one in own] != self._believed():
                raise PkiError(f"{self.path}: the authority was changed meanwhile; do it again / 机构已更换，请重试")
            serials = [one.serial for one in self.known() if one.name == name and not one.revoked_s]
            if not serials:
                raise PkiError(f"{name}: has no certificate that counts / 没有有效证书")
            self._write_lists(own, self._revoked() | dict.fromkeys(serials, int(now.timestamp())))
        return serials

    def known(self) -> Iterator[Known]:
        """What was issued, by name. Raises PkiError: what was revoked, or one of them, can't be read; OSError."""
        revoked = self._revoked()
        for file in sorted((self.path / "issued").glob("*.pem")):
            try:
                one = x509.load_pem_x509_certificate(file.read_bytes())
                use = one.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
            except (ValueError, x509.InvalidVersion, x509.ExtensionNotFound) as error:
                text = "damaged: put its backup back; or none of this authority: remove it / 损坏或非本机构证书"
                raise PkiError(f"{file}: {text}: {error}") from error
            name = file.name.rsplit(".", 2)[0]
            since_s = revoked.get(one.serial_number, 0)
            yield Known(name, one.serial_number, SERVER in use, one.not_valid_after_utc, since_s)

    def _issued(self, one: Known) -> Path:
        return self.path / "issued" / f"{one.name}.{one.serial:x}.pem"

    def _pairs(self) -> list[tuple[Path, Path]]:
        """Certificate and key of each that is believed, the one that issues first."""
        if not self._next_ca.exists():
            return [(self._ca, self._key)]
        if not self._next_key.exists():  # the change was cut off in its last step
            return [(self._next_ca, self._key)]
        return [(self._next_ca, self._next_key), (self._ca, self._key)]

    def _believed(self) -> list[x509.Certificate]:
        return [x509.load_pem_x509_certificate(ca.read_bytes()) for ca, _ in self._pairs()]

    @property
    def _next_ca(self) -> Path:
        return self.path / "ca.next.pem"

    @property
    def _next_key(self) -> Path:
        return self.path / "ca.next.key"

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
        """Nobody else changes a list meanwhile: one that was read before would lose what another put into it."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise PkiError(f"{self.path}: {_NONE_HERE}: {error}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write_lists(self, own: list[Authority], revoked: dict[int, int]) -> None:
        """What brokers read, then ours: where only theirs was written, the same is revoked again."""
        since = {serial: datetime.fromtimestamp(since_s, UTC) for serial, since_s in revoked.items()}
        lists = [one.revocations(since, datetime.now(UTC)) for one in own]
        write_durably(self.path / "authorities.pem", b"".join(one.own.certificate_bytes(PEM) for one in own))
        write_durably(self.path / "revoked.pem", b"".join(lists))
        text = json.dumps({f"{serial:x}": since_s for serial, since_s in sorted(revoked.items())}, indent=1)
        write_durably(self.path / "revoked.json", text.encode("ascii"))


def _end_within(own: Authority, end: datetime | None) -> datetime:
    """When what this authority issues ends. Raises PkiError: nobody believes it after the authority's own end."""
    left = own.end - datetime.now(UTC)
    if left <= timedelta() or (end is not None and end > own.end):
        fewer = f"--days {left.days} or fewer, or " if left.days > 0 else ""
        text = f"the authority ends {own.end:%Y-%m-%d}: {fewer}another authority by `roll-ca` / 超出机构有效期"
        raise PkiError(f"{own.name}: {text}")
    return end or own.end


def _files(own: list[Authority], issued: Issued, *, is_server: bool) -> dict[str, bytes]:
    if is_server:
        return {
            "server.key": issued.key_bytes(PEM),
            "ca.pem": b"".join(one.own.certificate_bytes(PEM) for one in own),
            "server.pem": issued.certificate_bytes(PEM),
        }
    return {
        "client.key.der": issued.key_bytes(DER),
        "ca.der": b"".join(one.own.certificate_bytes(DER) for one in own),
        "client.der": issued.certificate_bytes(DER),
    }
