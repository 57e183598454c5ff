"""Certificates sent to terminals: which are not ordered, what goes down until a terminal has said, what is shown."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import cli
from gateway.pki.authority import CLIENT, DER, Authority
from gateway.rotation import certificates
from gateway.rotation.certificates_desk import Desk
from gateway.rotation.store import Store, looking
from gateway.wanted import configurations
from protocol import down, record
from tests.gateway.support import NOW_S, Sender, StillClock, write_config
from tests.gateway.wanted import world

NAME = "T0001"
NOW = datetime.fromtimestamp(NOW_S, UTC)
DAY = timedelta(days=1)
RIGHT, OTHER = Authority.create("Right"), Authority.create("Other")
HOUR_S = 3600


def document(own: Authority = RIGHT, *more: Authority, name: str = NAME, days: int | None = None) -> bytes:
    """days: none: until the authority's end, which is after any day on which this runs."""
    made = own.issue(name, end=None if days is None else NOW + days * DAY, use=CLIENT).certificate_bytes(DER)
    return made + b"".join(one.own.certificate_bytes(DER) for one in more or (own,))


def early() -> bytes:
    """One that begins on the day after that on which this runs."""
    made = RIGHT.issue(NAME, begin=datetime.now(UTC) + DAY, use=CLIENT).certificate_bytes(DER)
    return made + RIGHT.own.certificate_bytes(DER)


class House(world.House):
    """The pipeline with the desk of certificates."""

    def open(self) -> None:
        super().open()
        self.renewal = Desk(self.folder, self.around)
        self.pipeline.desks = [self.renewal]
        self.renewal.step()

    def close(self) -> None:
        self.renewal.close()
        super().close()

    def order(self, what: bytes) -> int:
        store = Store(self.folder)
        with closing(store), store.writing() as connection:
            version = configurations.order(connection, NAME, what, self.clock.now_ms())
        self.step(1)
        return version

    def step(self, seconds: int = 0) -> None:
        super().step(seconds)
        self.renewal.step()

    def talk(self, box: world.Box) -> list[down.Certificates]:
        """What the terminal is sent beside its acks, when it says something."""
        if not box.pending:
            box.append()
        found = [box.sender.open_down(data) for data in self.hear(NAME, box.frame())]
        box.pending.clear()
        self.step(1)
        return [one for one in found if isinstance(one, down.Certificates)]

    def state(self) -> tuple[int, str, int | None, int | None]:
        with looking(self.folder) as connection:
            assert connection is not None
            (one,) = configurations.last_of_each(connection)
            return one.version, one.state, one.reason, configurations.in_force(connection).get(NAME)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, StillClock(), Sender(NAME))


def test_certificates_go_down_until_the_terminal_says_what_became_of_them(house: House) -> None:
    """P-415: again where it says nothing, over a restart too; and no more once it has."""
    box = world.Box(Sender(NAME), house.clock)
    version = house.order(document())
    (sent,) = house.talk(box)
    assert (sent.version, sent.echo) == (version, (box.sender.boot_id, box.sender.uptime_ms))
    certificates.check(sent.document, NAME, NOW)
    assert house.talk(box) == [], "not at each frame"
    house.restart()
    house.step(HOUR_S)
    assert [one.version for one in house.talk(box)] == [version]
    box.say(record.CERTIFICATES_TAKEN, version)
    house.talk(box)
    assert house.state() == (version, configurations.TAKEN, None, version)
    house.step(HOUR_S)
    assert house.talk(box) == []
    box.say(record.CERTIFICATES_ROLLED_BACK, version, 0)
    house.talk(box)
    assert house.state() == (version, configurations.ROLLED_BACK, None, 0)
    assert house.order(document()) == version + 1
    box.say(record.CERTIFICATES_REFUSED, version + 1, record.CERTIFICATES_FORM, version)
    house.talk(box)
    assert house.state()[:3] == (version + 1, configurations.REFUSED, record.CERTIFICATES_FORM)


def test_what_has_ended_before_its_terminal_is_heard_is_not_sent(house: House) -> None:
    """P-469: a broker would refuse it, and the terminal be away for the hour of its trial."""
    box = world.Box(Sender(NAME), house.clock)
    house.order(document(days=1))
    house.step(2 * 24 * HOUR_S)
    assert house.talk(box) == []
    assert house.state()[:2] == (1, configurations.WITHDRAWN)
    assert "certificates_not_sent" in house.said.getvalue()
    assert house.metric("wattline_down_messages_total", kind="certificates", result="dropped") == 1
    version = house.order(document())
    assert [one.version for one in house.talk(box)] == [version]


def test_what_has_not_begun_waits_for_the_clock_and_is_then_sent(house: House) -> None:
    """P-498: a gateway whose clock was behind for a while; it is said once, over all frames of that time."""
    box = world.Box(Sender(NAME), house.clock)
    right_s = house.clock.now_s
    version = house.order(document())
    house.clock.now_s = int(RIGHT.own.certificate.not_valid_before_utc.timestamp()) - 40 * 24 * HOUR_S
    for _ in range(5):
        assert house.talk(box) == []
        house.step(HOUR_S)
    assert house.state()[:2] == (version, configurations.PENDING)
    assert house.said.getvalue().count("certificates_early") == 1
    house.clock.now_s = right_s
    assert [one.version for one in house.talk(box)] == [version]


def test_what_ends_soon_is_named_if_it_is_in_force(house: House) -> None:
    """P-415"""
    box = world.Box(Sender(NAME), house.clock)
    house.order(document(days=29))
    for is_taken in (False, True):
        with looking(house.folder) as connection:
            assert connection is not None
            assert certificates.ending(connection, house.clock.now_ms()) == ([NAME] if is_taken else [])
        box.say(record.CERTIFICATES_TAKEN, 1)
        house.talk(box)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (document(name="T0002"), "is of T0002"),
        (document(days=-1), "has expired"),
        (early(), "CN=T0001: not valid before"),
        (document(RIGHT, OTHER), "is of none of the authorities"),
        (document()[:-1], "not certificates"),
        (document(RIGHT, *[RIGHT] * 5), "1 to 4 authorities"),
        (RIGHT.issue(NAME).certificate_bytes(DER), "1 to 4 authorities"),
        (b"", "is empty"),
        (b"-----BEGIN CERTIFICATE-----", "not certificates"),
    ],
)
def test_what_no_broker_would_take_is_not_ordered(tmp_path: Path, made: bytes, said: str) -> None:
    """P-418: expired, too early, of another name or authority, cut short; one bad file, and none is ordered."""
    config, source = write_config(tmp_path, 1883, [Sender(NAME), Sender("T0009")]), tmp_path / "renewed"
    source.mkdir()
    (source / f"{NAME}.der").write_bytes(made)
    (source / "T0009.der").write_bytes(document(name="T0009"))
    words = ["rotate", "--config", str(config), "--all", "--certificates", str(source)]
    done = CliRunner().invoke(cli.app, words)
    assert done.exit_code == 1, done.output
    assert said in done.output
    with looking(tmp_path / "data") as connection:
        assert connection is None


def test_certificates_are_ordered_at_a_pace_and_shown(tmp_path: Path) -> None:
    """P-414"""
    config, source = write_config(tmp_path, 1883, [Sender(NAME), Sender("T0009")]), tmp_path / "renewed"
    source.mkdir()
    for name in (NAME, "T0009"):
        (source / f"{name}.der").write_bytes(document(RIGHT, OTHER, RIGHT, name=name))
    words = ["rotate", "--config", str(config), "--all", "--certificates", str(source), "--json"]
    rows = json.loads(CliRunner().invoke(cli.app, words).output)["certificates"]
    assert [(row["terminal"], row["version"], row["state"]) for row in rows] == [
        (NAME, 1, "pending"),
        ("T0009", 1, "pending"),
    ]
    assert {row["end"][:10] for row in rows} == {RIGHT.end.date().isoformat()}
    (source / "T0009.der").unlink()
    done = CliRunner().invoke(cli.app, words)
    assert done.exit_code == 1
    assert "T0009.der: can't be read" in done.output
