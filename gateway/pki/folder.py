"""The authority's folder: its key (encrypted), its certificate, what it issued, and what it revoked.

ca.pem, ca.key         the authority
ca.next.pem, .key      the one that takes its place, while terminals change over: it issues, both are believed
authorities.pem        the certificates of those that are believed, for brokers
issued/NAME.SERIAL.pem each certificate that was issued; no key of anybody else is kept
revoked.json           serial (hex) to when, Unix s
revoked.pem            the same as the list that brokers read (RFC 5280, 5)
"""

import fcntl
import glob
import json
import os
import re
import time
from collections.abc import Callable, Iterator
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
TRIES, TRY_EVERY_S = 600, 0.1  # a minute: a change takes milliseconds, on a failing disk seconds
_NONE_HERE = "no authority here, make one by `init` / 没有证书机构"
_DAMAGED = "damaged: put its backup back; or none of this authority: remove it / 损坏或非本机构证书"
_NAMED = re.compile(r"\.[0-9a-f]{1,40}\.pem$")  # as its file is: RFC 5280, 4.1.2.2: a serial has up to 20 octets
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
    """An authority's folder. Whatever writes to it does so alone. pause: waits so long, before it looks again."""

    path: Path
    pause: Callable[[float], None] = time.sleep

    def create(self, name: str, passphrase: str, now: datetime) -> None:
        """Make the authority. Raises PkiError where there is one already, OSError."""
        if len(passphrase) < PASSPHRASE_CHARS_MIN:
            raise PkiError(f"a passphrase has {PASSPHRASE_CHARS_MIN} characters or more / 口令过短")
        (self.path / "issued").mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._alone():
            if self._ca.exists() or self._key.exists():
                raise PkiError(f"{self.path}: has an authority already / 已有证书机构")
            made = Authority.create(name)
            write_secret(self._key, made.key_file(passphrase.encode()).decode("ascii"))
            write_durably(self._ca, made.own.certificate_bytes(PEM))
            self._write_lists([made], {}, now)

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
        self._write_lists([made, before], self._revoked(), now)
        write_durably(self._next_ca, made.own.certificate_bytes(PEM))  # decides
        return [made, before]

    def finish(self, passphrase: str, now: datetime) -> Authority:
        """The next authority takes the place of the one before, which nobody believes from now on: its key is gone.

        Cut off at any moment, it can be called again. Raises PkiError, OSError.
        """
        with self._alone():
            return self._finish(passphrase, now)

    def _finish(self, passphrase: str, now: datetime) -> Authority:
        own = self.open(passphrase)[0]
        if not self._next_ca.exists():
            raise PkiError(f"{self.path}: no authority is being changed, begin by `roll-ca` / 没有进行中的更换")
        if self._next_key.exists():
            self._next_key.rename(self._key)
            sync_folder(self.path)
        self._write_lists([own], self._revoked(), now)
        self._next_ca.rename(self._ca)
        sync_folder(self.path)
        return own

    def renew(
        self, own: list[Authority], name: str, end: datetime | None, out: Path, now: datetime
    ) -> x509.Certificate:
        """Another certificate over a terminal's own key, with the authorities to believe: `out`/NAME.der, to be sent.

        Raises PkiError where it has none that counts or one that can't be read, or the authority ends before, OSError.
        """
        with self._alone(own):
            revoked, before = self._revoked(), [(file, _read(file)) for file in self._issued(name)]
            counting = [(file, one) for file, one in before if one.serial_number not in revoked and not _is_server(one)]
            if not counting:
                raise PkiError(f"{name}: has no certificate that counts, issue one by `terminal` / 没有有效证书")
            _, newest = max(counting, key=lambda pair: pair[0].stat().st_mtime_ns)
            key = cast("EllipticCurvePublicKey", newest.public_key())
            made = own[0].certify(name, key, end=_end_within(own[0], end, now), use=CLIENT)
            self._note(name, made)
            out.mkdir(mode=0o700, parents=True, exist_ok=True)
            parts = [made.public_bytes(DER), *(one.own.certificate_bytes(DER) for one in own)]
            write_durably(out / f"{name}.der", b"".join(parts))
        return made

    def issue(
        self,
        own: list[Authority],
        name: str,
        use: x509.ObjectIdentifier,
        out: Path,
        now: datetime,
        end: datetime | None = None,
    ) -> Issued:
        """A certificate and key into `out`: a server's as PEM, a terminal's as DER, which is what boards read.

        The key is written there alone. An older certificate of the name counts on until it is revoked: its owner
        changes over while both do. Raises OSError, PkiError: `out` has a key already, this is no host's name, or the
        authority ends before.
        """
        if _NAME.fullmatch(name) is None:
            raise PkiError(f"{name}: no host's name or address / 不是主机名或地址")
        with self._alone(own):
            issued = own[0].issue(name, end=_end_within(own[0], end, now), use=use)
            files = _files(own, issued, is_server=use == SERVER)
            there = [out / file for file in files if "key" in file and (out / file).exists()]
            if there:
                raise PkiError(f"{there[0]}: is there already; take it to its owner first / 文件已存在")
            out.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._note(name, issued.certificate)  # before anybody has the key: what is not known can't be revoked
            for file, data in files.items():
                write_durably(out / file, data, mode=0o600 if "key" in file else 0o644)
        return issued

    def revoke(self, own: list[Authority], name: str, now: datetime) -> list[int]:
        """All certificates of a name that still count; their serials. Raises PkiError where there is none, OSError."""
        with self._alone(own):
            revoked = self._revoked()
            serials = [one for one in map(_serial, self._issued(name)) if one not in revoked]
            if not serials:
                raise PkiError(f"{name}: has no certificate that counts / 没有有效证书")
            self._write_lists(own, revoked | dict.fromkeys(serials, int(now.timestamp())), now)
        return serials

    def known(self, unread: Callable[[PkiError], None]) -> Iterator[Known]:
        """What was issued, by name; told of each that can't be read. Raises PkiError: what was revoked can't be."""
        revoked = self._revoked()
        for file in sorted((self.path / "issued").glob("*.pem")):
            try:
                one = _read(file)
            except PkiError as error:
                unread(error)
                continue
            since_s = revoked.get(one.serial_number, 0)
            yield Known(_name(file), one.serial_number, _is_server(one), one.not_valid_after_utc, since_s)

    def _issued(self, name: str) -> list[Path]:
        if _NAME.fullmatch(name) is None:
            return []
        return [one for one in sorted((self.path / "issued").glob(f"{glob.escape(name)}.*.pem")) if _name(one) == name]

    def _note(self, name: str, issued: x509.Certificate) -> None:
        write_durably(self.path / "issued" / f"{name}.{issued.serial_number:x}.pem", issued.public_bytes(PEM))

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
        if not any(ca.exists() for ca, _ in self._pairs()):
            raise PkiError(f"{self.path}: {_NONE_HERE}")
        file = self.path / "revoked.json"
        try:
            found = json.loads(file.read_text("ascii"))
            return {int(serial, 16): int(since_s) for serial, since_s in found.items()}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            text = "what was revoked can't be read; put its backup back / 吊销记录无法读取，请恢复备份"
            raise PkiError(f"{file}: {text}: {error}") from error

    @contextmanager
    def _alone(self, own: list[Authority] | None = None) -> Iterator[None]:
        """Nobody else changes the folder meanwhile: a list that was read before would lose what another put into it.

        own: what was opened before, and must still be what is believed. Raises PkiError: another one is at work for
        longer than we wait, or has changed the authority.
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise PkiError(f"{self.path}: {_NONE_HERE}: {error}") from error
        try:
            self._lock(descriptor)
            if own is not None and [one.own.certificate for one in own] != self._believed():
                raise PkiError(f"{self.path}: the authority was changed meanwhile; do it again / 机构已更换，请重试")
            yield
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        for _ in range(TRIES):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.pause(TRY_EVERY_S)
            else:
                return
        text = "another `pki` command is at work here; do it again after its end / 另一条 pki 命令正在执行，请稍后重试"
        raise PkiError(f"{self.path}: {text}")

    def _write_lists(self, own: list[Authority], revoked: dict[int, int], now: datetime) -> None:
        """What brokers read, then ours: where only theirs was written, the same is revoked again."""
        since = {serial: datetime.fromtimestamp(since_s, UTC) for serial, since_s in revoked.items()}
        lists = [one.revocations(since, now) for one in own]
        write_durably(self.path / "authorities.pem", b"".join(one.own.certificate_bytes(PEM) for one in own))
        write_durably(self.path / "revoked.pem", b"".join(lists))
        text = json.dumps({f"{serial:x}": since_s for serial, since_s in sorted(revoked.items())}, indent=1)
        write_durably(self.path / "revoked.json", text.encode("ascii"))


def _end_within(own: Authority, end: datetime | None, now: datetime) -> datetime:
    """When what this authority issues ends. Raises PkiError: nobody believes it after the authority's own end."""
    left = own.end - now
    if left <= timedelta() or (end is not None and end > own.end):
        fewer = f"--days {left.days} or fewer, or " if left.days > 0 else ""
        text = f"the authority ends {own.end:%Y-%m-%d}: {fewer}another authority by `roll-ca` / 超出机构有效期"
        raise PkiError(f"{own.name}: {text}")
    return end or own.end


def _name(issued: Path) -> str:
    """Whose certificate is in a file NAME.SERIAL.pem."""
    return issued.name.rsplit(".", 2)[0]


def _read(issued: Path) -> x509.Certificate:
    """Raises PkiError: it can't be read, or is none that we issued."""
    try:
        found = x509.load_pem_x509_certificate(issued.read_bytes())
        _is_server(found)
    except OSError as error:
        raise PkiError(f"{issued}: can't be read / 无法读取: {error.strerror}") from error
    except (ValueError, x509.InvalidVersion, x509.ExtensionNotFound) as error:
        raise PkiError(f"{issued}: {_DAMAGED}: {error}") from error
    if not issued.name.endswith(f".{found.serial_number:x}.pem"):
        raise PkiError(f"{issued}: {_DAMAGED}: its serial is not its name's")
    return found


def _is_server(issued: x509.Certificate) -> bool:
    return SERVER in issued.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value


def _serial(issued: Path) -> int:
    """Of a certificate that may be damaged: then its file's name says it. Raises PkiError: not even that does."""
    try:
        return _read(issued).serial_number
    except PkiError:
        if _NAMED.search(issued.name) is None:
            raise
        return int(issued.name.split(".")[-2], 16)


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
