"""The terminal on the real VM, by TLS 1.2, against Debian's mosquitto: whom it takes for its broker, by what clock."""

import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.pki.authority import Issued
from hil.authority import Authority
from hil.terminal import HASTY
from protocol import record
from tests.firmware.live_flash import freed
from tests.firmware.site import BROKER, NAME, Tls, site
from tests.gateway.support import wait_until

pytestmark = [pytest.mark.e2e]
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize("vm", ["vm64", "vm32"])
def test_everything_is_delivered_by_tls_and_the_broker_knows_who_it_is(tmp_path: Path, vm: str) -> None:
    """The client certificate names the terminal; a backlog larger than TLS's records arrives whole."""
    with site(tmp_path, vm, tls=Tls()) as made:
        made.provision()
        _, last = made.prefill(300)
        made.broker.start()
        with made.gateway() as gateway:
            made.terminal.start()
            gateway.wait("300 records and the boot", lambda: set(gateway.records) >= set(range(1, last + 2)))
            wait_until(lambda: freed(made.terminal, set(range(1, last + 2))), "the last ack")
            made.terminal.kill()
        assert set(made.pending()).isdisjoint(range(1, last + 1))
        assert f"as {NAME} (p5, c0, k60, u'{NAME}')" in made.broker.process.text()


def test_the_broker_of_these_tests_speaks_tls_1_2_alone(tmp_path: Path) -> None:
    """As the boards do: what is shown here is not TLS 1.3's doing."""
    tls = Tls()
    files = tls.authority.server_files(tls.client, tmp_path / "client")
    with site(tmp_path, tls=tls) as made:
        made.broker.start()
        context = ssl.create_default_context(cafile=str(files[0]))
        context.load_cert_chain(files[1], files[2])
        plain = socket.create_connection(("127.0.0.1", made.broker.tls_port))
        with context.wrap_socket(plain, server_hostname=BROKER) as connection:
            assert connection.version() == "TLSv1.2"
            assert connection.cipher()[0].startswith("ECDHE-ECDSA-")  # type: ignore[index]


def of_another_authority(_right: Authority) -> Issued:
    return Authority("Wattline bench").issue(BROKER)


def of_another_name(right: Authority) -> Issued:
    return right.issue("elsewhere")


def expired(right: Authority) -> Issued:
    return right.issue(BROKER, NOW - 400 * DAY, NOW - DAY)


def not_yet_valid(right: Authority) -> Issued:
    return right.issue(BROKER, NOW + DAY, NOW + 400 * DAY)


@pytest.mark.parametrize("made_by", [of_another_authority, of_another_name, expired, not_yet_valid])
def test_a_broker_with_a_wrong_certificate_is_refused_and_told_nothing(tmp_path: Path, made_by) -> None:  # type: ignore[no-untyped-def]
    """S-25: nothing goes out to it, nothing is freed; the right one, at the same address, is taken afterwards."""
    tls = Tls()
    right, tls.server = tls.server, made_by(tls.authority)
    with site(tmp_path, tls=tls) as made:
        made.provision()
        _, last = made.prefill(5)
        made.broker.start()
        made.terminal.start()
        made.terminal.process.wait_for_line("uplink: the broker's certificate is refused: The certificate", 60)
        assert NAME not in made.broker.process.text()
        made.broker.stop()
        tls.authority.server_files(right, tmp_path / "server")
        made.broker.start()
        with made.gateway() as gateway:
            gateway.wait("all", lambda: set(gateway.records) >= set(range(1, last + 2)))
            made.terminal.kill()


def test_a_terminal_without_the_right_certificate_is_refused_by_the_broker(tmp_path: Path) -> None:
    """It says so, and goes on trying."""
    tls = Tls(Authority("Wattline bench").issue(NAME))
    with site(tmp_path, tls=tls) as made:
        made.provision()
        made.broker.start()
        made.terminal.start()
        made.terminal.process.wait_for_line("(?s)(uplink: (OSError|EOFError).*){2}", 60)
        made.terminal.kill()
        assert NAME not in made.broker.process.text()


@pytest.mark.parametrize("age_days", [400, 2])
def test_a_terminal_whose_clock_shows_2000_connects(tmp_path: Path, age_days: int) -> None:
    """S-25: by the image's build time; or, with a broker's certificate that is younger than that, by looking on."""
    tls = Tls()
    tls.server = tls.authority.issue(BROKER, NOW - age_days * DAY, NOW + 90 * DAY)
    with site(tmp_path, rtc="dead", tls=tls, program=HASTY) as made:
        made.provision()
        made.broker.start()
        with made.gateway() as gateway:
            made.terminal.start()
            gateway.wait("the clock's event", lambda: bool(gateway.events(record.CLOCK_SET)), 60)
            boot = gateway.events(record.BOOT)[0]
            assert (boot.time_s, boot.clock_source) == (None, record.CLOCK_NONE), "no time was made up"
            set_ = gateway.events(record.CLOCK_SET)[0]
            assert abs(set_.time_s * 1000 - made.clock.now_ms()) < 60_000
            made.terminal.kill()
            said = made.terminal.process.text()
            assert ("certificate is refused" in said) == (age_days == 2)


def test_the_clock_is_held_at_the_logs_newest_record(tmp_path: Path) -> None:
    """S-25: a certificate that expired before it is refused, though the image is older and the clock shows 2000."""
    tls = Tls()
    built = datetime(2026, 1, 1, tzinfo=UTC)
    right, tls.server = tls.server, tls.authority.issue(BROKER, built - 30 * DAY, NOW - DAY)
    with site(tmp_path, rtc="dead", tls=tls) as made:
        made.provision()
        made.broker.start()
        with made.gateway() as gateway:
            made.terminal.start()
            gateway.wait("the clock's event", lambda: bool(gateway.events(record.CLOCK_SET)))
            made.terminal.kill()
            made.terminal.start()
            made.terminal.process.wait_for_line("certificate is refused: The certificate validity has expired", 60)
            made.broker.stop()
        tls.authority.server_files(right, tmp_path / "server")
        made.broker.start()
        with made.gateway() as gateway:
            gateway.wait("the boot", lambda: bool(gateway.events(record.BOOT)))
            made.terminal.kill()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("ca.der", b"-----BEGIN CERTIFICATE-----", "ca.der: (file): (not shown); allowed / 允许: a file of DER"),
        ("client.key.der", b"\x30\x03abc", "invalid key"),
        ("client.der", b"\x30" + bytes(5000), "client.der: (file): (not shown)"),
    ],
)
def test_certificates_that_cannot_be_read_end_the_start_and_the_key_is_not_shown(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    tls = Tls()
    tls.files[name] = content
    with site(tmp_path, tls=tls) as made:
        made.provision()
        made.terminal.start()
        deadline = time.monotonic() + 60
        while made.terminal.process.running and time.monotonic() < deadline:
            time.sleep(0.02)
        assert made.terminal.process.status == 2
        assert said in made.terminal.process.text()
