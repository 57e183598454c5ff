"""A certificate that ends is an alarm of the gateway's own house: before it does, and from then on."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import cli
from gateway.config import VerifyConfig
from gateway.downward import Said
from gateway.journal.journal import Journal
from gateway.pki.authority import CLIENT, DER, PEM, SERVER, Authority
from gateway.pki.folder import Folder
from gateway.registry import Registry
from gateway.rotation import certificates as renewal
from gateway.rotation import store as rotation
from gateway.wanted import configurations
from gateway.watch import certificates
from gateway.watch.rules import Certificate, Rules
from gateway.watch.store import Store
from gateway.watch.watcher import Watched, Watcher
from protocol import record
from tests.gateway.support import NOW_S, Sender, StillClock, terminal_of, write_config
from tests.gateway.watch.plant import POINTS

PASSPHRASE = "a long enough passphrase"
NAME, NOW, DAY_S = "T0001", datetime.fromtimestamp(NOW_S, UTC), 86_400
END_S = NOW_S + 40 * DAY_S
LOOK_S = certificates.LOOK_EVERY_S


def day(number: int) -> datetime:
    return NOW + timedelta(days=number)


class World:
    """A watch over a terminal, a broker and their authority; days is 30."""

    def __init__(self, folder: Path, *more: str, rules: Rules | None = None, believed: tuple[str, ...] = ()) -> None:
        Journal(folder / "data", VerifyConfig()).close()
        self.folder, self.authority = folder, Folder(folder / "pki")
        self.authority.create("Fleet", PASSPHRASE, NOW)
        self.own = self.authority.open(PASSPHRASE)
        self.store, self.clock = Store(folder / "data"), StillClock()
        of = certificates.Sources([str(self.authority.path), *more], believed)
        self.unread, self.why = list[str](), list[str]()
        ends = partial(certificates.ends, folder / "data", of, self._unread)
        known = Registry([terminal_of(Sender(NAME), POINTS)])
        watched = Watched(known, [], rules or Rules(), 86_400, ends=ends)
        self.watcher = Watcher(folder / "data", self.store, self.clock, watched, _off)

    def _unread(self, name: str, error: Exception) -> None:
        self.unread.append(name)
        self.why.append(str(error))

    def issue(self, name: str, end: datetime, *, is_server: bool = False) -> None:
        out = self.folder / f"{name}.{end:%Y%m%d}"
        self.authority.issue(self.own, name, SERVER if is_server else CLIENT, out, NOW, end)

    def renew(self, end: datetime) -> None:
        """A certificate over the terminal's own key, which it takes."""
        self.authority.renew(self.own, NAME, end, self.folder / "out", NOW)
        self._order((self.folder / "out" / f"{NAME}.der").read_bytes(), record.CERTIFICATES_TAKEN)

    def send(self, end: datetime, code: int | None) -> None:
        """Order a certificate for the terminal; code: what it says of that."""
        document = self.own[0].issue(NAME, end=end, use=CLIENT).certificate_bytes(DER)
        self._order(document + self.own[0].own.certificate_bytes(DER), code)

    def _order(self, document: bytes, code: int | None) -> None:
        with closing(rotation.Store(self.folder / "data")) as store, store.writing() as connection:
            version = configurations.order(connection, NAME, document, NOW_S * 1000)
            if code is not None:
                renewal.hear(connection, Said(NAME, 1, version, code, [version, 1], NOW_S * 1000))

    def alarms_at(self, now_s: int) -> list[tuple[str, str, int, int]]:
        self.clock.now_s = now_s
        self.watcher.look()
        rows = self.store.rows()
        return [(one.subject, one.kind, (one.from_s - NOW_S) // DAY_S, one.to_s - now_s) for one in rows]

    def close(self) -> None:
        self.watcher.close()
        self.store.close()


def test_a_certificate_that_ends_is_an_alarm_from_a_month_before_until_it_is_renewed(tmp_path: Path) -> None:
    """P-458: one alarm, which becomes that it has ended; it says when; what is renewed leaves it as it was."""
    world = World(tmp_path)
    world.issue(NAME, day(40))
    world.issue("T0099", day(1))  # nobody's that is admitted
    assert world.alarms_at(NOW_S + 10 * DAY_S) == []
    later_s = NOW_S + 10 * DAY_S + LOOK_S
    assert world.alarms_at(later_s) == [(NAME, "certificate_ending", 10, 0)]
    assert world.alarms_at(later_s + LOOK_S - 1) == [(NAME, "certificate_ending", 10, 1 - LOOK_S)], "each half hour"
    assert world.alarms_at(END_S) == [(NAME, "certificate_ended", 10, 0)]
    (row,) = world.store.rows()
    assert dict(row.facts) == {"ends_unix_s": END_S}
    world.issue(NAME, day(400))
    assert world.alarms_at(END_S + 2 * LOOK_S) == [(NAME, "certificate_ended", 10, -2 * LOOK_S)]
    world.close()


def test_what_a_terminal_says_counts_before_what_was_issued(tmp_path: Path) -> None:
    """P-458: a renewed certificate that it has not taken keeps no alarm away; one that it took does."""
    world = World(tmp_path)
    world.issue(NAME, day(5))
    world.send(day(900), None)
    assert world.alarms_at(NOW_S) == [(NAME, "certificate_ending", -25, 0)]
    world.send(day(800), record.CERTIFICATES_TAKEN)
    assert world.alarms_at(NOW_S + LOOK_S) == [(NAME, "certificate_ending", -25, -LOOK_S)]
    world.close()


def test_what_was_sent_counts_until_it_is_revoked_and_then_what_a_technician_laid(tmp_path: Path) -> None:
    """P-495: issued alone, it may lie in a drawer."""
    world = World(tmp_path)
    world.issue(NAME, day(3))
    world.renew(day(5))
    ending = (NAME, "certificate_ending", -25)
    assert world.alarms_at(NOW_S) == [(*ending, 0)]
    world.issue(NAME, day(800))
    assert world.alarms_at(NOW_S + LOOK_S) == [(*ending, 0)], "what the terminal took"
    world.authority.revoke(world.own, NAME, NOW)
    world.issue(NAME, day(900))
    assert world.alarms_at(NOW_S + 2 * LOOK_S) == [(*ending, -LOOK_S)]
    assert world.alarms_at(NOW_S + 880 * DAY_S)[0] == (NAME, "certificate_ending", 870, 0), "and its end is watched"
    world.close()


def test_a_certificate_that_is_damaged_keeps_no_other_from_its_alarm(tmp_path: Path) -> None:
    """P-494: each of an authority's folder by itself, its own too; the damaged ones are named."""
    world = World(tmp_path)
    for name in ("T0000", NAME):
        world.issue(name, day(5))
    (damaged,) = (world.authority.path / "issued").glob("T0000.*")
    damaged.write_bytes(damaged.read_bytes()[:100])
    (world.authority.path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")
    assert world.alarms_at(NOW_S) == [(NAME, "certificate_ending", -25, 0)]
    assert world.unread == [str(world.authority.path)] * 2
    assert world.why[1].startswith(f"{damaged}: damaged")
    world.close()


def test_a_clock_that_was_ahead_delays_no_look(tmp_path: Path) -> None:
    """P-458: of a machine that started with a wrong clock."""
    world = World(tmp_path)
    assert world.alarms_at(NOW_S + 400 * DAY_S) == []
    world.issue(NAME, day(40))
    assert world.alarms_at(NOW_S + 11 * DAY_S) == [(NAME, "certificate_ending", 10, 0)]
    world.close()


def test_brokers_and_authorities_are_watched_and_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """P-459: of a chain the first to end counts, of authorities that are believed the last; others are watched on."""
    chain, bundle, damaged = (tmp_path / f"{name}.pem" for name in ("chain", "bundle", "damaged"))
    short, long = Authority.create("Short", end=day(20)), Authority.create("Long", end=day(900))
    chain.write_bytes(long.issue("a").certificate_bytes(PEM) + short.own.certificate_bytes(PEM))
    bundle.write_bytes(long.own.certificate_bytes(PEM) + short.own.certificate_bytes(PEM))
    damaged.write_text("-----BEGIN CERTIFICATE-----")
    foreign = Folder(tmp_path / "foreign")
    foreign.create("Other", PASSPHRASE, NOW)
    (foreign.path / "issued/T0001.1.pem").write_bytes(long.own.certificate_bytes(PEM))  # does not say what it is for
    named = (str(chain), str(damaged), str(foreign.path), str(tmp_path / "gone"))
    world = World(tmp_path, *named, believed=(str(bundle), str(damaged)))
    world.issue("mqtt.example.org", day(29), is_server=True)
    assert sorted(world.alarms_at(NOW_S)) == [
        (f"certificate {chain}", "certificate_ending", -10, 0),
        ("certificate mqtt.example.org", "certificate_ending", -1, 0),
    ]
    assert world.unread == [str(damaged), str(foreign.path), str(tmp_path / "gone"), str(damaged)]
    world.close()


@pytest.mark.parametrize(
    ("rule", "found"), [(Certificate(days=41), 1), (Certificate(days=40), 0), (Certificate(enabled=False, days=99), 0)]
)
def test_the_threshold_is_the_operators(tmp_path: Path, rule: Certificate, found: int) -> None:
    """P-458: and so is whether it is looked at."""
    world = World(tmp_path, rules=Rules(certificate=rule))
    world.issue(NAME, day(40))
    assert len(world.alarms_at(NOW_S)) == found
    world.close()


def test_the_command_takes_files_from_the_configuration(tmp_path: Path) -> None:
    """P-459: relative to it, as all are; a file that is missing costs no start, `check` and `watch` tell of it."""
    config = write_config(tmp_path, 1883, [Sender(NAME)])
    Journal(tmp_path / "data", VerifyConfig()).close()
    ended = Authority.create("Old", end=datetime.now(UTC) - timedelta(days=1))
    (tmp_path / "server.pem").write_bytes(ended.own.certificate_bytes(PEM))
    fleet, end = Folder(tmp_path / "pki"), datetime.now(UTC) + timedelta(days=1)
    fleet.create("Fleet", PASSPHRASE, NOW)
    for name in (NAME, "T0099"):  # nobody's that is admitted
        fleet.issue(fleet.open(PASSPHRASE), name, CLIENT, tmp_path / name, NOW, end)
    config.write_text('certificates = ["server.pem", "gone.pem", "pki"]\n' + config.read_text())
    checked = CliRunner().invoke(cli.app, ["check", "--config", str(config)])
    assert (checked.exit_code, "gone.pem: can't be read" in checked.output) == (0, True), checked.output
    assert f"server.pem: ends {ended.end:%Y-%m-%d}" in checked.output
    assert "1 terminals' certificates end soon" in checked.output
    watch = CliRunner().invoke(cli.app, ["watch", "--config", str(config), "--once"])
    assert (watch.exit_code, "gone.pem: certificates can't be read" in watch.output) == (0, True), watch.output
    listed = CliRunner().invoke(cli.app, ["alarms", "list", "--config", str(config)]).output
    assert f"certificate {tmp_path}/server.pem" in listed
    assert "证书已过期" in listed


def _off(rule: str, error: Exception) -> None:
    raise AssertionError(rule) from error
