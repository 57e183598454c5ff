"""A key, certificates and their authority changed over the air, on real parts: VM, TLS, mosquitto and gateway."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import cli
from gateway.files import write_secret
from gateway.journal.reader import Reader
from gateway.pki.authority import CLIENT, SERVER, Authority
from gateway.pki.folder import Folder
from gateway.rotation import changes
from gateway.rotation.store import Store, looking
from gateway.wanted import configurations
from protocol import record
from tests.firmware.site import BROKER, NAME, SECRET, Site, site
from tests.gateway.support import Device, Running, Sender, event, wait_until, write_config

pytestmark = [pytest.mark.e2e]
PASSPHRASE = "twelve characters"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
FACTOR = 20  # half a minute of a terminal's work on a key in two seconds; what it is told is fresh for six
WAIT_S = 90
REVOKED_S = 60


class Fleet:
    """An authority's folder, with the files that broker and terminal have of it: what a site takes for its TLS."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = Folder(folder / "pki")
        self.place.create("First", PASSPHRASE, NOW)
        self.issue_broker()
        self.place.issue(self.own(), NAME, CLIENT, folder / "terminal", NOW)
        self.files = {file.name: file.read_bytes() for file in (folder / "terminal").iterdir()}
        self.authority, self.server = self, None

    def own(self) -> list[Authority]:
        return self.place.open(PASSPHRASE)

    def issue_broker(self) -> None:
        """Another certificate for the broker, by who issues now."""
        (self.folder / "broker.pki/server.key").unlink(missing_ok=True)
        self.place.issue(self.own(), BROKER, SERVER, self.folder / "broker.pki", NOW)

    def server_files(self, _server: None, _folder: Path) -> tuple[Path, Path, Path]:
        folder = self.folder / "broker.pki"
        return self.place.path / "authorities.pem", folder / "server.pem", folder / "server.key"


class House:
    """The site with a real gateway on it."""

    def __init__(self, made: Site, fleet: Fleet, running: Running, data: Path) -> None:
        self.made, self.fleet, self.running, self.data = made, fleet, running, data

    def heard_again(self) -> None:
        """The terminal starts anew, and so has something to say."""
        self.made.terminal.kill()
        self.made.terminal.start()

    def until(self, what: str, condition, within_s: float = WAIT_S) -> None:  # type: ignore[no-untyped-def]
        """A terminal that resets itself is started again, as a chip is."""

        def holds() -> bool:
            self.made.terminal.keep_alive()
            return bool(condition())

        wait_until(holds, f"{what}\n{self.made.terminal.process.tail()}", within_s)

    def restart_broker(self) -> None:
        self.made.broker.stop()
        self.made.broker.start()

    def renew(self) -> None:
        """Certificates for the terminal by who issues now, with whom it is to believe; taken, and past their trial."""
        self.fleet.place.renew(self.fleet.own(), NAME, None, self.data / "out", NOW)
        store = Store(self.data)
        with closing(store), store.writing() as connection:
            document = (self.data / "out" / f"{NAME}.der").read_bytes()
            version = configurations.order(connection, NAME, document, self.made.clock.now_ms())
        acks = self.made.terminal.process.text().count("acknowledged by the gateway")
        self.heard_again()
        self.until("the certificates are taken", lambda: self.in_force() == version)
        self.until(
            "an ack since",
            lambda: self.made.terminal.process.text().count("acknowledged by the gateway") > acks + 1,
        )

    def in_force(self) -> int | None:
        with looking(self.data) as connection:
            return configurations.in_force(connection).get(NAME) if connection else None

    def change(self) -> changes.Change | None:
        with looking(self.data) as connection:
            return changes.of_terminal(connection, NAME) if connection else None

    def numbers(self) -> list[int]:
        with closing(Reader(self.data)) as reader:
            return sorted(one.seq for one in reader.records_after(0, 10_000))

    def is_whole(self) -> bool:
        """Whether no number is missing, but what the terminal told: its power was cut while it wrote that."""
        with closing(Reader(self.data)) as reader:
            kept = [record.decode_record(reader.raw(one.id)) for one in reader.records_after(0, 10_000)]
        numbers = {one.seq for one in kept}
        for one in kept:
            if one.type == record.EVENT and one.body.code == record.NUMBERS_SKIPPED:
                numbers |= set(range(one.body.values[0], one.body.values[1] + 1))
        return numbers == set(range(1, len(numbers) + 1))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    fleet = Fleet(tmp_path)
    with site(tmp_path, factor=FACTOR, tls=fleet) as made:  # type: ignore[arg-type]
        made.provision()
        with (tmp_path / "broker/mosquitto.conf").open("a") as file:
            file.write(f"crlfile {fleet.place.path / 'revoked.pem'}\n")
        made.broker.start()
        config = write_config(tmp_path / "gateway", made.broker.port, [Sender(NAME, SECRET)])
        running = Running(config, made.clock)  # type: ignore[arg-type]
        try:
            yield House(made, fleet, running, tmp_path / "gateway/data")
        finally:
            running.stop()


def test_a_running_terminal_gets_another_key_other_certificates_and_another_authority(house: House) -> None:
    """P-415: nobody comes by, the old authority is gone in the end, and no record is missing."""
    store = Store(house.data)
    with closing(store), store.writing() as connection:
        changes.order(connection, NAME, 1, house.made.clock.now_ms(), 0)
    house.made.terminal.start()
    house.made.terminal.process.wait_for_line("key: generation 2 in use", WAIT_S)
    house.heard_again()
    house.until("the key is confirmed", lambda: (one := house.change()) and one.state == changes.CONFIRMED)

    house.fleet.place.roll("Second", PASSPHRASE, NOW)
    house.restart_broker()  # it believes both now, and shows the first one's certificate
    house.renew()
    house.fleet.issue_broker()
    house.restart_broker()  # it shows the second one's
    house.heard_again()
    before = len(house.numbers())
    house.until("a record by the second authority's broker", lambda: len(house.numbers()) > before)

    house.fleet.place.finish(PASSPHRASE, NOW)
    house.restart_broker()  # it believes the second one alone
    house.renew()
    house.until("what is missing: the newest come first", house.is_whole)
    assert len(house.numbers()) > 6
    assert house.running.metric("wattline_frames_refused_total", reason="kid") == 0


def test_a_terminal_that_is_revoked_is_out_within_a_minute(house: House) -> None:
    """P-419, S-19: by `revoke`, `pki revoke` and one SIGHUP; the gateway refuses it whatever way it comes."""
    house.made.terminal.start()
    house.until("it is heard", lambda: bool(house.numbers()))
    config, passphrase = house.data.parent / "gateway.toml", house.data / "passphrase"
    write_secret(passphrase, PASSPHRASE + "\n")
    place = ["--folder", str(house.fleet.place.path), "--passphrase-file", str(passphrase)]
    for words in (["revoke", "--config", str(config), NAME], ["pki", "revoke", NAME, *place]):
        done = CliRunner().invoke(cli.app, words)
        assert done.exit_code == 0, done.output
    os.kill(house.made.broker.process.pid, signal.SIGHUP)
    with closing(Device(house.made.broker.port, NAME)) as stolen:  # a way in beside the broker's certificates
        sender = Sender(NAME, SECRET)

        def is_refused() -> bool:
            stolen.publish(NAME, sender.frame([event(9_000)]))
            return house.running.metric("wattline_frames_refused_total", reason="terminal") > 0

        wait_until(is_refused, "the gateway refuses it", REVOKED_S)
    taken, said = len(house.numbers()), len(house.made.terminal.process.text())
    house.heard_again()
    house.until(
        "the broker refuses it, twice",
        lambda: len(re.findall("uplink: [A-Za-z]*Error", house.made.terminal.process.text()[said:])) > 1,
        REVOKED_S,
    )
    assert "uplink: connected" not in house.made.terminal.process.text()[said:]
    assert len(house.numbers()) == taken, "nothing of it is taken since"
