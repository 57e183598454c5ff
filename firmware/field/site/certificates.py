"""The TLS files of a plan: read as PEM or DER, checked before a terminal gets them, and given as the DER it wants."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import NameOID

from firmware.field.site.plan import Broker, Terminal
from protocol.host.strict import Problem

_DER = serialization.Encoding.DER
_FILE_BYTES_MAX = 64 * 1024  # a chain has some kilobytes; anything longer is some other file


def files_of(folder: Path, terminal: Terminal, broker: Broker) -> dict[str, bytes]:
    """What a terminal has on its flash for TLS, by name; {} without TLS. Raises OSError, ValueError."""
    if broker.ca is None:
        return {}
    own, key = str(terminal.certificate), str(terminal.certificate_key)
    form = serialization.PrivateFormat.TraditionalOpenSSL  # SEC 1: what mbedTLS on the boards reads
    return {
        "ca.der": _certificate(folder / broker.ca).public_bytes(_DER),
        "client.der": _certificate(folder / own).public_bytes(_DER),
        "client.key.der": _key(folder / key).private_bytes(_DER, form, serialization.NoEncryption()),
    }


def problems(plan: Path, at: str, terminal: Terminal, broker: Broker, now: datetime) -> Iterator[Problem]:
    """What is wrong with a terminal's TLS files; no content of a key is ever shown."""
    names = (("certificate", terminal.certificate), ("certificate_key", terminal.certificate_key))
    missing = [key for key, name in names if name is None]
    for key in missing:
        yield Problem(
            plan, f"{at}.{key}", "missing / 缺少: the broker is reached by TLS; allowed / 允许: a file / 文件"
        )
    if missing:
        return
    key, name = "broker.ca", str(broker.ca)
    try:
        authority = _certificate(plan.parent / name)
        key, name = f"{at}.certificate", str(terminal.certificate)
        own = _certificate(plan.parent / name)
        key, name = f"{at}.certificate_key", str(terminal.certificate_key)
        secret = _key(plan.parent / name)
    except OSError as error:
        yield Problem(plan, key, f"{name}: can't be read: {error.strerror} / 无法读取")
        return
    except (ValueError, TypeError):  # their text may quote the content; TypeError: encrypted
        yield Problem(plan, key, f"{name}: not PEM or DER without password / 不是无口令的 PEM 或 DER")
        return
    for where, one in (("broker.ca", authority), (f"{at}.certificate", own)):
        if not one.not_valid_before_utc <= now < one.not_valid_after_utc:
            until = f"{one.not_valid_before_utc:%Y-%m-%d} .. {one.not_valid_after_utc:%Y-%m-%d}"
            yield Problem(plan, where, f"in force {until}, and not today / 证书不在有效期内")
    named = [str(one.value) for one in own.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if named != [terminal.id]:
        yield Problem(
            plan, f"{at}.certificate", f"of {named}; allowed / 允许: {terminal.id}: the broker knows it by that"
        )
    if secret.public_key() != own.public_key():
        yield Problem(plan, f"{at}.certificate_key", "of another certificate / 与证书不匹配")


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(_FILE_BYTES_MAX + 1)
    if len(data) > _FILE_BYTES_MAX:
        raise ValueError("too long")
    return data


def _certificate(path: Path) -> x509.Certificate:
    data = _content(path)
    is_pem = data.lstrip().startswith(b"-----")
    return x509.load_pem_x509_certificate(data) if is_pem else x509.load_der_x509_certificate(data)


def _key(path: Path) -> PrivateKeyTypes:
    data = _content(path)
    load = (
        serialization.load_pem_private_key if data.lstrip().startswith(b"-----") else serialization.load_der_private_key
    )
    return load(data, None)
