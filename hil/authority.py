"""The bench's certificate authority: the product's, with the files that a site has of it."""

from pathlib import Path

from gateway.pki import authority
from gateway.pki.authority import DER, PEM, Issued, Key


class Authority(authority.Authority):
    """`issue` makes certificates that whoever has `own.certificate` takes for the name's."""

    def __init__(self, name: str = "Wattline bench", key: Key | None = None) -> None:
        """With a key: the same authority under another certificate."""
        super().__init__(authority.Authority.create(name, key).own)

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
