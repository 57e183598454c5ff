"""Certificates for terminals, as documents in versions: checked, ordered, and what terminals say of them.

A document is the terminal's own certificate, over the key that it has, then its authorities' (SPEC.md, FR-95).
"""

import sqlite3
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from gateway.downward import Said
from gateway.wanted import configurations
from protocol import der, limits, record

ENDS_SOON = timedelta(days=30)
REASONS = {  # of a refusal (protocol/SPEC.md, FR-95)
    1: "stale: the terminal took a newer version / 终端已有更新的版本",
    2: "its TLS does not take these certificates / 终端 TLS 不接受该证书",
    3: "it does not connect by TLS / 终端未使用 TLS",
    5: "the terminal could not store them / 终端无法保存",
}
# certificates are told of as configurations are, by codes of their own
_CODES = {
    record.CERTIFICATES_TAKEN: record.CONFIG_TAKEN,
    record.CERTIFICATES_REFUSED: record.CONFIG_REFUSED,
    record.CERTIFICATES_ROLLED_BACK: record.CONFIG_ROLLED_BACK,
}
EVENTS = frozenset(_CODES)


class CertificatesError(ValueError):
    """What is wrong with a document; English and Chinese."""


class NotYetError(CertificatesError):
    """It is right, and begins later; or the clock is behind."""


def check(document: bytes, terminal: str, now: datetime) -> None:
    """Whether this is what that terminal can be sent. Raises CertificatesError: what no broker would take from it;
    NotYetError, where nothing else is wrong.
    """
    own, *authorities = _parsed(document)
    if not 1 <= len(authorities) <= limits.AUTHORITIES_MAX or len(document) > limits.DOCUMENT_BYTES_MAX:
        raise CertificatesError(f"1 to {limits.AUTHORITIES_MAX} authorities behind its own, 4,000 bytes / 证书数量不符")
    names = [one.value for one in own.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [terminal]:
        raise CertificatesError(f"is of {', '.join(map(str, names)) or 'nobody'} / 证书名称不符")
    if any(one.not_valid_after_utc <= now for one in (own, *authorities)):
        raise CertificatesError("has expired / 证书已过期")
    if not any(_vouches(one, own) for one in authorities):
        raise CertificatesError("is of none of the authorities behind it / 证书不是由所附机构签发")
    if early := [one for one in (own, *authorities) if one.not_valid_before_utc > now]:
        text = (
            f"{early[0].subject.rfc4514_string()}: not valid before {early[0].not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        )
        raise NotYetError(f"{text}: is the clock right? / 证书尚未生效，请核对时钟")


def end_of(document: bytes) -> datetime:
    """When the terminal's own ends."""
    return _parsed(document)[0].not_valid_after_utc


def hear(connection: sqlite3.Connection, said: Said) -> str | None:
    """As `configurations.hear`."""
    return configurations.hear(connection, said._replace(code=_CODES[said.code]))


def in_force(connection: sqlite3.Connection) -> dict[str, x509.Certificate]:
    """By terminal, the certificate that is in force there, of those that we sent."""
    return {name: _parsed(document)[0] for name, document in configurations.documents(connection, taken=True)}


def serials_not_taken(connection: sqlite3.Connection) -> set[int]:
    """Of certificates that we were to send, and that no terminal has in force."""
    return {_parsed(document)[0].serial_number for _, document in configurations.documents(connection, taken=False)}


def ending(connection: sqlite3.Connection, now_ms: int) -> list[str]:
    """The terminals whose certificate, as we sent it, is in force and ends soon."""
    until = datetime.fromtimestamp(now_ms / 1000, UTC) + ENDS_SOON
    return [name for name, one in in_force(connection).items() if one.not_valid_after_utc <= until]


def _parsed(document: bytes) -> list[x509.Certificate]:
    try:
        found = [x509.load_der_x509_certificate(one) for one in der.split(document)]
    except ValueError as error:
        raise CertificatesError(f"not certificates, DER / 不是 DER 证书: {error}") from error
    if not found:
        raise CertificatesError("is empty / 文件为空")
    return found


def _vouches(authority: x509.Certificate, own: x509.Certificate) -> bool:
    try:
        own.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
