"""The fleet's authority, with the real mosquitto on the configuration that it makes: who gets in, and who does not."""

import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from typer.testing import CliRunner

from gateway.cli import app
from gateway.files import write_secret
from gateway.pki import broker
from gateway.pki.authority import BEGIN, CLIENT, END, PEM, SERVER, Authority, Issued
from gateway.pki.folder import Folder, PkiError
from hil.ports import free_port, wait_for_port
from hil.process import Process
from tests.deploy.brokers import hashed
from tests.gateway.pki.known import all_known
from tests.gateway.support import mosquitto

WAIT_S = 60  # for one SIGHUP, or an answer, on a busy machine
PASSPHRASE = "a long enough passphrase"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
REFUSED = (ssl.SSLError, ConnectionError)


@contextmanager
def running(folder: Path, port: int) -> Iterator[Process]:
    """mosquitto on the configuration that the folder's files are for."""
    text = broker.configuration(7056, folder, port, free_port())
    text = text.replace(f"listener {port}\n", f"listener {port} 127.0.0.1\n")
    (folder / "mosquitto.conf").write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
    (folder / "wattline.acl").write_text(broker.ACL)
    (folder / "gateway.passwd").write_text("gateway:" + hashed("x" * 12) + "\n")
    with Process("mosquitto", [str(mosquitto()), "-c", str(folder / "mosquitto.conf")], folder / "log") as process:
        process.start()
        wait_for_port(process, port)
        yield process


def connects(folder: Path, port: int, issued: Issued | None, authority: Path) -> bool:
    """Whether the broker answers a CONNECT of whoever has this certificate."""
    context = ssl.create_default_context(cafile=str(authority))
    if issued is not None:
        pair = folder / f"{issued.certificate.serial_number:x}.pem"
        pair.write_bytes(issued.certificate_bytes(PEM) + issued.key_bytes(PEM))
        context.load_cert_chain(pair)
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as link,
        ):
            link.sendall(bytes.fromhex("100f00044d5154540502003c0000025431"))
            return link.recv(1) == b"\x20"
    except REFUSED:
        return False


def made(folder: Path) -> tuple[Folder, list[Authority]]:
    authority = Folder(folder / "pki")
    authority.create("Test fleet", PASSPHRASE, NOW)
    return authority, authority.open(PASSPHRASE)


def test_only_a_terminal_of_the_authority_gets_in_and_none_that_is_revoked(tmp_path: Path) -> None:
    """P-330: also not an expired, a foreign, a self-made certificate, nor none; a revoked one after one SIGHUP."""
    authority, own = made(tmp_path)
    site, port = tmp_path / "broker", free_port()
    authority.issue(own, "127.0.0.1", SERVER, site, NOW)
    (site / "revoked.pem").write_bytes((authority.path / "revoked.pem").read_bytes())
    good = authority.issue(own, "T0001", CLIENT, tmp_path / "T0001", NOW)
    other = authority.issue(own, "T0002", CLIENT, tmp_path / "T0002", NOW)
    foreign = Authority.create("Test fleet").issue("T0001", use=CLIENT)
    expired = own[0].issue("T0001", BEGIN, BEGIN + timedelta(days=1), CLIENT)
    with running(site, port) as process:
        ca = site / "ca.pem"
        assert connects(tmp_path, port, good, ca)
        for wrong in (foreign, expired, Authority.create("T0001").own, None):
            assert not connects(tmp_path, port, wrong, ca)
        assert authority.revoke(own, "T0001", NOW) == [good.certificate.serial_number]
        (site / "revoked.pem").write_bytes((authority.path / "revoked.pem").read_bytes())
        os.kill(process.pid, signal.SIGHUP)
        until_s = time.monotonic() + WAIT_S
        while connects(tmp_path, port, good, ca) and time.monotonic() < until_s:
            time.sleep(0.2)
        assert not connects(tmp_path, port, good, ca)
        assert connects(tmp_path, port, other, ca)


def test_a_stolen_terminal_is_no_broker(tmp_path: Path) -> None:
    """P-330, S-25: whoever looks at what a certificate is for does not take a terminal's for a broker's."""
    authority, own = made(tmp_path)
    site, port = tmp_path / "broker", free_port()
    authority.issue(own, "127.0.0.1", SERVER, site, NOW)
    stolen = own[0].issue("127.0.0.1", use=CLIENT)
    (site / "revoked.pem").write_bytes((authority.path / "revoked.pem").read_bytes())
    (site / "server.pem").write_bytes(stolen.certificate_bytes(PEM))
    (site / "server.key").write_bytes(stolen.key_bytes(PEM))
    with running(site, port):
        assert not connects(tmp_path, port, own[0].issue("T0001", use=CLIENT), site / "ca.pem")


def test_a_key_is_its_owners_alone_and_never_written_over(tmp_path: Path) -> None:
    """P-331, S-20: mode 600, the authority's encrypted; another passphrase does not open it."""
    authority, own = made(tmp_path)
    authority.issue(own, "T0001", CLIENT, tmp_path / "T0001", NOW)
    for file in (tmp_path / "T0001" / "client.key.der", authority.path / "ca.key"):
        assert file.stat().st_mode & 0o077 == 0
    assert b"ENCRYPTED" in (authority.path / "ca.key").read_bytes()
    with pytest.raises(PkiError, match="passphrase"):
        authority.open(PASSPHRASE + "x")
    with pytest.raises(PkiError, match="already"):
        authority.issue(own, "T0001", CLIENT, tmp_path / "T0001", NOW)
    with pytest.raises(PkiError, match="already"):
        authority.create("Another", PASSPHRASE, NOW)


def test_what_was_issued_can_be_revoked_and_what_was_revoked_stays_so(tmp_path: Path) -> None:
    """P-331: also where two people revoke at once; a name that is no file's is refused before there is a key."""
    authority, own = made(tmp_path)
    for name in ("../x", "a/b", ".", "", "x" * 65):
        with pytest.raises(PkiError, match="no host"):
            authority.issue(own, name, SERVER, tmp_path / "out", NOW)
    assert not (tmp_path / "out").exists()
    names = [f"T{number:04}" for number in range(6)]
    for name in names:
        authority.issue(own, name, CLIENT, tmp_path / name, NOW)
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: authority.revoke(own, name, NOW), names))
    known = all_known(authority)
    assert all(one.revoked_s for one in known)
    revoked = x509.load_pem_x509_crl((authority.path / "revoked.pem").read_bytes())
    assert {one.serial_number for one in revoked} == {one.serial for one in known}


@pytest.mark.parametrize("text", [None, "", "[]", '{"x": 1}', '{"1": null}'])
def test_a_list_that_is_lost_or_broken_revokes_nobody_silently(tmp_path: Path, text: str | None) -> None:
    """P-331: a list made without it would let everybody in again."""
    authority, own = made(tmp_path)
    authority.issue(own, "T0001", CLIENT, tmp_path / "T0001", NOW)
    file = authority.path / "revoked.json"
    file.unlink() if text is None else file.write_text(text)
    before = (authority.path / "revoked.pem").read_bytes()
    with pytest.raises(PkiError, match="backup"):
        authority.revoke(own, "T0001", NOW)
    assert (authority.path / "revoked.pem").read_bytes() == before


def test_the_commands_make_a_fleet(tmp_path: Path) -> None:
    """P-331."""
    passphrase = tmp_path / "passphrase"
    write_secret(passphrase, PASSPHRASE + "\n")
    common = ["--folder", str(tmp_path / "pki"), "--passphrase-file", str(passphrase)]

    def said(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["pki", *words])
        return done.exit_code, done.output

    assert said("init", "--name", "County X", *common)[0] == 0
    assert said("terminal", "T0001", "--out", str(tmp_path / "T0001"), *common)[0] == 0
    assert said("terminal", "no id", "--out", str(tmp_path / "x"), *common)[0] == 1
    assert said("terminal", "gateway", "--out", str(tmp_path / "x"), *common)[0] == 1
    assert said("broker", "mqtt.example.org", "--out", str(tmp_path / "b"), *common)[0] == 0
    assert said("revoke", "T0001", *common)[0] == 0
    assert said("revoke", "T0001", *common)[0] == 1
    listed = said("list", "--folder", str(tmp_path / "pki"))[1]
    assert "revoked" in listed
    assert f"until {END:%Y}" in listed
    assert said("broker-config", "--terminals", "7056", "--out", str(tmp_path / "b"))[0] == 0
    assert "max_queued_messages 28224" in (tmp_path / "b" / "mosquitto.conf").read_text()
