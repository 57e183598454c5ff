"""The bench's certificate authority: makes the certificates that a site has, and those that it must not take."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)  # before every image was built
END = datetime(2045, 1, 1, tzinfo=UTC)

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, P-256: what boards and TLS 1.2 do (ECDHE-ECDSA)."""

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
    """`issue` makes certificates that whoever has `own.certificate` takes for the name's."""

    def __init__(self, name: str = "Wattline bench", key: Key | None = None) -> None:
        """With a key: the same authority under another certificate."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        builder = _builder(subject, subject, key, BEGIN, END)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.own = Issued(builder.add_extension(usage, critical=True).sign(key, hashes.SHA256()), key)

    def issue(self, name: str, begin: datetime = BEGIN, end: datetime = END) -> Issued:
        """For a server of this host name, or a client of this id."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(name), self.own.certificate.subject, key, begin, end)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        return Issued(builder.sign(self.own.key, hashes.SHA256()), key)

    def terminal_files(self, issued: Issued) -> dict[str, bytes]:
        """What a terminal has on its flash for TLS."""
        return {
            "ca.der": self.own.certificate_bytes(DER),
            "client.der": issued.certificate_bytes(DER),
            "client.key.der": issued.key_bytes(DER),
        }

    def server_files(self, issued: Issued, folder: Path) -> tuple[Path, Path, Path]:
        """What a broker has: files of the authority's certificate, its own, and its key."""
        folder.mkdir(parents=True, exist_ok=True)
        contents = {
            "ca.pem": self.own.certificate_bytes(PEM),
            "server.pem": issued.certificate_bytes(PEM),
            "server.key": issued.key_bytes(PEM),
        }
        for name, data in contents.items():
            (folder / name).touch(mode=0o600)
            (folder / name).write_bytes(data)
        return folder / "ca.pem", folder / "server.pem", folder / "server.key"


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(begin).not_valid_after(end)
