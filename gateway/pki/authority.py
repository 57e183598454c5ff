"""Certificates: ECDSA P-256, which is what boards and TLS 1.2 do (ECDHE-ECDSA). No I/O; RFC 5280."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
Key = ec.EllipticCurvePrivateKey
# Valid since before every image was built, so that a terminal whose clock is dead takes it; and longer than a terminal.
BEGIN, END = datetime(2025, 1, 1, tzinfo=UTC), datetime(2045, 1, 1, tzinfo=UTC)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key

    def certificate_bytes(self, encoding: serialization.Encoding) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(encoding)

    def key_bytes(self, encoding: serialization.Encoding) -> bytes:
        """The key, not encrypted; SEC 1, as OpenSSL's `ec` writes it."""
        form = serialization.PrivateFormat.TraditionalOpenSSL
        return self.key.private_bytes(encoding, form, serialization.NoEncryption())


class Authority:
    """Vouches for terminals and brokers. own: its certificate and key."""

    def __init__(self, own: Issued) -> None:
        self.own = own

    @classmethod
    def create(cls, name: str, key: Key | None = None, end: datetime = END) -> "Authority":
        """A new one. key: an older one's, which it is then under another certificate."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        builder = _builder(_name(name), _name(name), key.public_key(), BEGIN, end)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(usage, critical=True).add_extension(identifier, critical=False)
        return cls(Issued(builder.sign(key, hashes.SHA256()), key))

    @property
    def name(self) -> str:
        """By which its certificates name it."""
        return str(self.own.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)

    @property
    def end(self) -> datetime:
        """When it ends, and all that it issues at the latest."""
        return self.own.certificate.not_valid_after_utc

    def issue(
        self,
        name: str,
        begin: datetime = BEGIN,
        end: datetime | None = None,
        use: x509.ObjectIdentifier | None = None,
    ) -> Issued:
        """For a client of this id, or a server of this host name or address; end: the authority's own, if not said.

        use: CLIENT or SERVER; with CLIENT nobody takes it for a server's: a terminal that was stolen is no broker.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        return Issued(self.certify(name, key.public_key(), begin, end, use), key)

    def certify(
        self,
        name: str,
        key: ec.EllipticCurvePublicKey,
        begin: datetime = BEGIN,
        end: datetime | None = None,
        use: x509.ObjectIdentifier | None = None,
    ) -> x509.Certificate:
        """The same, over a key that somebody has."""
        builder = _builder(_name(name), self.own.certificate.subject, key, begin, end or self.end)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(name)]), critical=False)
        if use is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        return builder.sign(self.own.key, hashes.SHA256())

    def revocations(self, revoked: Mapping[int, datetime], now: datetime) -> bytes:
        """The list of serial numbers that count no more, and since when; PEM.

        It lasts as long as all else: a broker whose list has expired refuses everybody. An authority that has ended has
        one, too: with that begins the change to another.
        """
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.own.certificate.subject)
        builder = builder.last_update(now).next_update(max(self.end, now + timedelta(days=1)))
        for serial, since in sorted(revoked.items()):
            one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since).build()
            builder = builder.add_revoked_certificate(one)
        return builder.sign(self.own.key, hashes.SHA256()).public_bytes(PEM)

    def key_file(self, passphrase: bytes) -> bytes:
        """Its key, encrypted (PKCS 8); PEM."""
        form = serialization.PrivateFormat.PKCS8
        return self.own.key.private_bytes(PEM, form, serialization.BestAvailableEncryption(passphrase))


def opened(certificate: bytes, key: bytes, passphrase: bytes) -> Authority:
    """An authority out of its files. Raises ValueError: wrong passphrase, no P-256 key, or not the certificate's."""
    own_key = serialization.load_pem_private_key(key, passphrase)
    own = x509.load_pem_x509_certificate(certificate)
    if not isinstance(own_key, Key) or own_key.public_key() != own.public_key():
        raise ValueError("the key is not the certificate's")
    return Authority(Issued(own, own_key))


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(begin).not_valid_after(end)
