"""Servers admit each other by certificate, as deploy/several-machines has it: real servers, by its files."""

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.config import JetStreamConfig
from gateway.files import write_secret
from gateway.jetstream.client import Client, NatsError
from hil.ports import free_port
from hil.process import Process
from tests.gateway.support import ROOT, wait_until

FORM = ROOT / "deploy/several-machines"
PASSWORD = "a-password"
WAIT_S = 60.0
REFUSED = "TLS route handshake error"


def certificates(folder: Path) -> Path:
    """As an operator makes them, for a server that is reached as localhost; its folder."""
    subprocess.run([FORM / "certificates.sh", folder, "localhost"], check=True, capture_output=True, timeout=60)
    return folder / "localhost"


class Server:
    """One by deploy's nats.conf, but for ports and paths. changed: what else is other, old and new."""

    def __init__(self, folder: Path, name: str, own: Path, others: list["Server"], changed: tuple[str, str]) -> None:
        folder.mkdir()
        self.name, self.port, self.route_port, self._http_port = name, free_port(), free_port(), free_port()
        routes = ", ".join(f'"nats-route://localhost:{one.route_port}"' for one in (self, *others))
        text = (FORM / "nats.conf").read_text(encoding="utf-8")
        begin = text.index("  routes: [")
        text = f"{text[:begin]}  routes: [{routes}]{text[text.index(']', begin) + 1 :]}"
        for old, new in (
            ('"0.0.0.0:4222"', f'"127.0.0.1:{self.port}"'),
            ('"0.0.0.0:6222"', f'"127.0.0.1:{self.route_port}"'),
            ('"127.0.0.1:8222"', f'"127.0.0.1:{self._http_port}"'),
            ("/var/lib/nats", str(folder / "store")),
            ("/etc/nats/certs", str(own)),
            changed,
        ):
            assert old in text
            text = text.replace(old, new)
        (folder / "nats.conf").write_text(text, encoding="utf-8")
        command = [str(ROOT / "build/nats/nats-server"), "-c", str(folder / "nats.conf"), "-n", name]
        self.process = Process(name, command, folder / "log", {"NATS_PASSWORD": PASSWORD})

    def joined(self) -> set[str]:
        """Which servers it has routes to."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._http_port}/routez", timeout=5) as answer:
            return {one["remote_name"] for one in json.load(answer)["routes"]}


Make = Callable[..., Server]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Starts servers, and ends them."""
    with ExitStack() as running:

        def made(
            name: str, own: Path, others: list[Server], changed: tuple[str, str] = ("wattline", "wattline")
        ) -> Server:
            one = Server(tmp_path / name, name, own, others, changed)
            running.enter_context(one.process)
            one.process.start()
            one.process.wait_for_line("Server is ready", WAIT_S)
            return one

        yield made


def test_a_server_without_a_certificate_of_the_clusters_authority_cannot_join(tmp_path: Path, make: Make) -> None:
    """P-189: without TLS, without a certificate, with one of another authority; who has one joins."""
    ours, theirs = certificates(tmp_path / "ours"), certificates(tmp_path / "theirs")
    first = make("nats-1", ours, [])
    second = make("nats-2", ours, [first])
    wait_until(lambda: first.joined() == {"nats-2"} and second.joined() == {"nats-1"}, "two servers form a cluster")
    text = (FORM / "nats.conf").read_text(encoding="utf-8")
    inner = text[text.index("  tls {") : text.index("  routes: [")]
    for name, own, changed in (
        ("plain", ours, (inner.replace("/etc/nats/certs", str(ours)), "")),
        ("unsigned", theirs, ("verify: true", "")),
    ):
        said = first.process.text().count(REFUSED)
        stranger = make(name, own, [first], changed)
        wait_until(lambda: first.process.text().count(REFUSED) > said + 1, f"{name} is refused, and tries again")  # noqa: B023
        assert stranger.joined() == set(), name
        assert first.joined() == {"nats-2"}, name
        stranger.process.kill()


def test_a_gateway_reaches_the_servers_by_tls_alone(tmp_path: Path, make: Make) -> None:
    """P-189, P-237: with the authority's certificate, and a password."""
    own = certificates(tmp_path / "ours")
    first = make("nats-1", own, [])
    write_secret(tmp_path / "password", PASSWORD)
    for authority, password, reason in (
        (str(own / "ca.pem"), str(tmp_path / "password"), None),
        (None, str(tmp_path / "password"), "denied"),
        (str(own / "ca.pem"), None, "denied"),
    ):
        config = JetStreamConfig(
            servers=[f"localhost:{first.port}"],
            user="gateway" if password else None,
            password_file=password,
            tls_ca_file=authority,
        )
        client = Client(config, "test", lambda: os.urandom(4).hex(), time.monotonic)
        try:
            if reason is None:
                assert b'"user":"gateway"' in client.request("$SYS.REQ.USER.INFO", b"").data.replace(b" ", b"")
            else:
                with pytest.raises(NatsError) as found:
                    client.request("$SYS.REQ.USER.INFO", b"")
                assert found.value.reason == reason
        finally:
            client.close()
