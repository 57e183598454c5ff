"""Debian's mosquitto as a process of its own: its own port, configuration and persistence in the run's folder."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from hil.ports import free_port, wait_for_port
from hil.process import Process

# Log to stderr, which is unbuffered: what was logged before a kill -9 is in the file.
# Debian's own configuration is persistence plus defaults: `max_queued_messages` (1000) and the rest are mosquitto's.
_CONFIG = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
connection_messages true
log_type all
log_dest stderr
log_timestamp_format %s
sys_interval 1
{user}
"""
# As terminals meet it: TLS 1.2, whoever connects has a certificate, and its name is who he is.
_TLS = """\
listener {port} 127.0.0.1
cafile {ca}
certfile {certificate}
keyfile {key}
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
"""
# mosquitto's tls_version is a minimum; boards have TLS 1.2 alone
_OPENSSL = """\
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = tls
[tls]
MinProtocol = TLSv1.2
MaxProtocol = TLSv1.2
"""
_UP = re.compile(r"Received PUBLISH from (?P<client>\S+) \(d(?P<dup>\d), q1, .*'wattline/up/")
_PUBACK = re.compile(r"Sending PUBACK to (?P<client>\S+) \(m\d+, rc(?P<reason>\d+)\)")
STRANGER = "stranger"  # the client that is no terminal: hil/stranger.py
_DROPPED = re.compile(r"Outgoing messages are being dropped for client (?P<client>\S+?)\.")


class Broker:
    """A mosquitto on 127.0.0.1:`port`; the port stays the same over restarts, as a site's broker has one address.

    tls: the files of its authority's certificate, its own, and its key: it then takes TLS on `tls_port`, too.
    also: an address of this machine at which it listens besides, for a board on the bench's own network.
    """

    def __init__(
        self,
        program: Path,
        folder: Path,
        settings: Mapping[str, int | str] | None = None,
        tls: tuple[Path, Path, Path] | None = None,
        also: str | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        # started as root mosquitto drops to a user of its own, which can't write into the run's folder
        user = "user root" if os.geteuid() == 0 else ""
        config = folder / "mosquitto.conf"
        more = "".join(f"{name} {value}\n" for name, value in (settings or {}).items())
        text = _CONFIG.format(port=self.port, folder=folder, user=user) + more
        if also is not None:
            text += f"listener {self.port} {also}\n"
        self.tls_port = 0
        if tls is not None:
            self.tls_port = free_port()
            text += _TLS.format(port=self.tls_port, ca=tls[0], certificate=tls[1], key=tls[2])
        config.write_text(text, encoding="utf-8")
        openssl = folder / "openssl.cnf"
        openssl.write_text(_OPENSSL, encoding="utf-8")
        env = {"OPENSSL_CONF": str(openssl)}
        self.process = Process("mosquitto", [str(program), "-c", str(config)], folder / "broker.log", env)

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        self.process.start()
        for port in (self.port, self.tls_port):
            if port:
                wait_for_port(self.process, port)

    def stop(self) -> None:
        """A clean stop: mosquitto writes its persistence file."""
        self.process.stop()

    def kill(self) -> None:
        """kill -9: what was only in its memory is gone."""
        self.process.kill()

    def published(self) -> int:
        """Frames that terminals have published to it, repetitions included, over all its starts (from its log)."""
        found = _UP.finditer(self.process.text())
        return sum(one["client"] != STRANGER for one in found)

    def pubacked(self, client: str) -> int:
        """PUBACKs of success that it has sent to this client."""
        found = _PUBACK.finditer(self.process.text())
        return sum(one["client"] == client and one["reason"] == "0" for one in found)

    def overflowed(self) -> bool:
        """Whether it has said that it drops messages for some client."""
        return _DROPPED.search(self.process.text()) is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
