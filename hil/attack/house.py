"""What is attacked: the fleet's authority, mosquitto on its configuration, gateway, console, platform, and a terminal.

All real, in real time, on loopback. The terminal is the MicroPython VM with a meter's bus, by TLS. A second terminal's
key and certificate are in the thief's hands.
"""

import json
import os
import random
import shutil
import sqlite3
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.files import write_secret
from gateway.journal.reader import Reader
from gateway.pki import broker as broker_config
from gateway.pki.authority import CLIENT, PEM, SERVER, Authority, Issued
from gateway.pki.folder import Folder
from gateway.quarantine.quarantine import QuarantineReader
from hil import stores, updates, wiring
from hil.attack.client import Client, password_hash
from hil.bench import MOSQUITTO, VM, Platform
from hil.benchmarks import realistic
from hil.clock import ScaledClock
from hil.gateway import Gateway
from hil.link import Link
from hil.meter_bus import MeterBus
from hil.ports import free_port, wait_for_port
from hil.process import BenchError, Process
from hil.scenario import WINDOW_S, Point, Scenario, load
from hil.scenario import Terminal as Planned
from hil.terminal import Terminal
from protocol import frame, mac, record

OWN, STOLEN, SPARE = "T0001", "T0002", "T0003"
HOST = "localhost"
# of this run's own authority, broker and console
PASSPHRASE = "red team's authority"  # noqa: S105
BROKER_PASSWORD = "red team's broker"  # noqa: S105
OPERATOR, ADMIN, USER_PASSWORD = "olga", "anna", "correct horse battery"
READY_S = 60.0  # a busy machine imports slowly
WAIT_S = 60.0  # for what takes a moment here
LOOK_S = 0.1
SAMPLE_S = 1  # the meters' bus has something to show soon
METER_TIMEOUT_MS = 2_000  # a meter that says late what it is, is asked again after minutes
RECORDS_MAX = 100_000  # of the journal: a run has some hundred
FRAMES_KEPT_MAX = 10_000  # of the quarantine: what a run refuses is a few hundred
BETWEEN = "between"  # who has taken the broker over
EPOCH, BOOT = 4711, 1
TECHNICIAN_NAME = "li.wei"
TECHNICIAN = Ed25519PrivateKey.generate()  # whose word counts; no attacker has it


class House:
    """Its parts, while `running` lasts."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random = folder, random.Random(seed)
        self.scenario = _scenario(seed)
        self.authority_folder = Folder(folder / "pki")
        self.begun = datetime.now(UTC)
        self.authority_folder.create("Wattline red team", PASSPHRASE, self.begun)
        self.authorities: list[Authority] = self.authority_folder.open(PASSPHRASE)
        self.site = folder / "broker"
        self.port, self.inner_port = free_port(), free_port()
        self.stolen: Issued = self.authority_folder.issue(
            self.authorities, STOLEN, CLIENT, folder / "stolen", self.begun
        )
        self.stolen_key = mac.Key(wiring.secret(seed, STOLEN), wiring.GENERATION)
        self.own_key = mac.Key(wiring.secret(seed, OWN), wiring.GENERATION)  # the gateway has it, too
        self.clock = ScaledClock(time.time_ns(), _begin_ms(), 1)
        self.broker: Process
        self.gateway: Gateway
        self.terminal: Terminal
        self.lay_flash: Callable[[], None]  # makes the terminal's flash anew, as a technician left it
        self.meters: MeterBus
        self.link: Link
        self.console: str = ""
        self.wait_s = WAIT_S
        self._sent = 0
        self._commands = 0

    # --- what attackers have

    def client(self, issued: Issued, name: str) -> Client:
        """Somebody at the terminals' port of the broker. Raises OSError (ssl.SSLError) where he is not let in."""
        return Client(self.port, name, self.shows(issued))

    def shows(self, issued: Issued | None) -> ssl.SSLContext:
        """What somebody shows who has this certificate. Raises OSError where it can't be shown."""
        context = ssl.create_default_context(cafile=str(self.site / "ca.pem"))
        if issued is not None:
            pair = self.folder / f"{issued.certificate.serial_number:x}.pem"
            pair.touch(mode=0o600)
            pair.write_bytes(issued.certificate_bytes(PEM) + issued.key_bytes(PEM))
            context.load_cert_chain(pair)
        return context

    def between(self, name: str = "listener") -> Client:
        """Somebody who has taken the broker over: he hears all, and says anything to anybody."""
        return Client(self.inner_port, name, None, (BETWEEN, BROKER_PASSWORD))

    def sealed(self, terminal: str = STOLEN, epoch: int = EPOCH, seq: int | None = None, mean_w: int = 0) -> bytes:
        """A frame with one window, sealed with the stolen key under this terminal's name."""
        number = self._sent = self._sent + 1
        made = realistic.window(random.Random(number + mean_w), 1, number % 3000)
        raw = record.encode_window(number if seq is None else seq, made)
        return frame.seal_frame(self.stolen_key, terminal, epoch, BOOT, number, [raw])

    # --- what can be seen

    @property
    def config(self) -> Path:
        """The gateway's file."""
        return self.folder / "gateway" / "gateway.toml"

    def windows(self) -> int:
        """In the journal."""
        return self.gateway.windows()

    def counter(self, name: str) -> int:
        """One of the journal's own."""
        return self.gateway.counters().get(name, 0)

    def refused(self) -> dict[str, int]:
        """Frames and records in quarantine, by the reason."""
        return stores.quarantined(self.gateway.data)

    def refusals(self) -> list[str]:
        """The reasons of what is kept of them, newest first."""
        return [one.refused.reason for one in QuarantineReader(self.gateway.data).newest(FRAMES_KEPT_MAX)]

    def numbers(self, code: int | None = None) -> list[tuple[int, int]]:
        """(epoch, seq) of all records of the terminal that the journal has, as they came; code: of such events."""
        with closing(Reader(self.gateway.data)) as reader:
            own = [one for one in reader.records_after(0, RECORDS_MAX) if one.terminal == OWN]
            if code is not None:
                own = [one for one in own if _is_event(reader.raw(one.id), code)]
            return [(one.epoch, one.seq) for one in own]

    def left_out(self) -> set[tuple[int, int]]:
        """(epoch, seq) that the terminal has told it left out: its power was cut while it wrote them."""
        found = set()
        with closing(Reader(self.gateway.data)) as reader:
            for one in reader.records_after(0, RECORDS_MAX):
                if one.terminal == OWN and _is_event(raw := reader.raw(one.id), record.NUMBERS_SKIPPED):
                    first, last = record.decode_record(raw).body.values
                    found |= {(one.epoch, seq) for seq in range(first, last + 1)}
        return found

    def copied(self, name: str, *databases: str) -> Path:
        """The gateway's folder beside it, with these of its databases as they are: what runs is untouched."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.config.parent, folder, ignore=shutil.ignore_patterns("data", "*.log"))
        (folder / "data").mkdir()
        for one in databases:
            running = f"file:{self.gateway.data / one}?mode=ro"
            with (
                closing(sqlite3.connect(running, uri=True)) as source,
                closing(sqlite3.connect(folder / "data" / one)) as copy,
            ):
                source.backup(copy)
        return folder

    def restart_terminal(self) -> None:
        """A power cut, so that it says something at once."""
        self.terminal.kill()
        self.terminal.start()

    def wait(self, is_so: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Whether it became so; within wait_s, if no other time is given."""
        until_s = time.monotonic() + (self.wait_s if timeout_s is None else timeout_s)
        while not is_so():
            if time.monotonic() > until_s:
                return False
            time.sleep(LOOK_S)
        return True

    def command(self, *words: str, config: Path | None = None) -> Process:
        """`wattline gateway WORDS --config ...`, run to its end; its log has what it said, and nothing else."""
        own = [_WATTLINE, "gateway", words[0], "--config", str(config or self.config), *words[1:]]
        self._commands += 1
        process = Process(words[0], own, self.folder / f"command-{self._commands}-{words[0]}.log")
        process.start()
        if not self.wait(lambda: not process.running, READY_S):
            process.kill()
            raise BenchError(f"{words[0]} did not end within {READY_S:g} s: {process.tail()}")
        return process


def _is_event(raw: bytes, code: int) -> bool:
    found = record.decode_record(raw)
    return bool(found.type == record.EVENT and found.body.code == code)


_WATTLINE = str(Path(sys.executable).with_name("wattline"))


@contextmanager
def running(folder: Path, seed: int) -> Iterator[House]:
    """The house, in a folder that is there and empty; all of it is ended. Raises BenchError."""
    house = House(folder, seed)
    with ExitStack() as stack:
        platform = stack.enter_context(Platform(folder / "platform"))
        platform.start()
        house.broker = stack.enter_context(_broker(house))
        (own, *_) = house.scenario.terminals
        house.link = stack.enter_context(Link(folder / "link", house.port))
        ports = wiring.Ports(house.inner_port, platform.port, links={own.name: house.link.start()})
        house.gateway = stack.enter_context(_gateway(house, ports))
        house.gateway.start()
        house.meters = stack.enter_context(MeterBus(house.scenario, own, folder / "meters", house.clock))
        house.meters.start()
        house.terminal = stack.enter_context(_terminal(house, own, ports))
        house.gateway.wait_until_ready()
        house.terminal.start()
        if not house.wait(lambda: house.counter("frames_accepted") > 0, READY_S):
            raise BenchError(f"no frame of the terminal came: {house.terminal.process.tail()}")
        stack.enter_context(_console(house))
        yield house


def _begin_ms() -> int:
    """A minute into this quarter of an hour, Unix ms: no window of the terminal's own ends while moves are played."""
    now_s = int(time.time())
    return (now_s - now_s % WINDOW_S + 60) * 1000


def _scenario(seed: int) -> Scenario:
    """Three terminals with a point each."""
    plain = load("platform_silent")
    names = (OWN, STOLEN, SPARE)
    # a meter that tells its number and its ratios
    points = [Point(f"line_{n}", "other", "iem3255", 1, 50_000, terminal=name) for n, name in enumerate(names, 1)]
    changes = {"points": points, "terminals": [Planned(name) for name in names], "seed": seed, "faults": []}
    changes |= {"sample_interval_s": SAMPLE_S}
    return msgspec.structs.replace(plain, **changes)


@contextmanager
def _broker(house: House) -> Iterator[Process]:
    """As `pki broker-config` has it; terminals' port on loopback alone."""
    house.authority_folder.issue(house.authorities, HOST, SERVER, house.site, house.begun)
    text = broker_config.configuration(3, house.site, house.port, house.inner_port)
    text = text.replace(f"listener {house.port}\n", f"listener {house.port} 127.0.0.1\n")
    text += f"persistence_location {house.site}/\n" + ("user root\n" if os.geteuid() == 0 else "")
    (house.site / "mosquitto.conf").write_text(text, encoding="utf-8")
    rules = f"{broker_config.ACL}\nuser {BETWEEN}\ntopic readwrite wattline/#\n"
    (house.site / "wattline.acl").write_text(rules, encoding="utf-8")
    (house.site / "revoked.pem").write_bytes((house.authority_folder.path / "revoked.pem").read_bytes())
    users = "".join(f"{name}:{password_hash(BROKER_PASSWORD)}\n" for name in (broker_config.GATEWAY, BETWEEN))
    write_secret(house.site / "gateway.passwd", users)
    command = [str(MOSQUITTO), "-c", str(house.site / "mosquitto.conf")]
    with Process("mosquitto", command, house.folder / "broker.log") as process:
        process.start()
        for port in (house.port, house.inner_port):
            wait_for_port(process, port)
        yield process


def _gateway(house: House, ports: wiring.Ports) -> Gateway:
    folder = house.folder / "gateway"
    config = wiring.write_gateway(house.scenario, folder, ports)
    write_secret(folder / "mqtt.password", BROKER_PASSWORD)
    login = f'username = "{broker_config.GATEWAY}"\npassword_file = "mqtt.password"\n'
    text = config.read_text(encoding="utf-8").replace("[mqtt]\n", f"[mqtt]\n{login}")
    public = TECHNICIAN.public_key().public_bytes_raw().hex()
    (folder / "update_keys.json").write_bytes(updates.keys_json(house.scenario))
    (folder / "technicians.toml").write_text(
        f'[[technician]]\nname = "{TECHNICIAN_NAME}"\nkey = "{public}"\n', encoding="utf-8"
    )
    config.write_text(
        f'update_keys = "update_keys.json"\n{text}\n[console]\nusers = "users.toml"\nport = 0\n', encoding="utf-8"
    )
    return Gateway(config, house.clock)


def _terminal(house: House, plan: Planned, ports: wiring.Ports) -> Terminal:
    terminal = Terminal(VM, house.folder / "terminal", house.clock, house.meters.uart(), "set")
    wanted = wiring.terminal_json(house.scenario, plan, ports)
    wanted["mqtt"] |= {"tls": {"server_name": HOST}}
    for meter in wanted["buses"][0]["meters"]:
        meter["timeout_ms"] = METER_TIMEOUT_MS
    house.authority_folder.issue(house.authorities, plan.id, CLIENT, house.folder / "own", house.begun)
    files = {path.name: path.read_bytes() for path in (house.folder / "own").iterdir()}
    house.lay_flash = partial(terminal.provision, wanted, wiring.key_json(house.scenario.seed, plan.id), files)
    house.lay_flash()
    return terminal


@contextmanager
def _console(house: House) -> Iterator[None]:
    write_secret(house.folder / "password", USER_PASSWORD)
    for name, role in ((OPERATOR, "operator"), (ADMIN, "admin")):
        made = house.command("console-user", name, "--role", role, "--password-file", str(house.folder / "password"))
        if made.status:
            raise BenchError(made.tail())
    command = [_WATTLINE, "gateway", "console", "--config", str(house.config), "--json"]
    with Process("console", command, house.folder / "console.log") as process:
        process.start()
        house.console = json.loads(process.wait_for_line(r'^\{.*"console".*\}$', READY_S)[0])["console"]
        yield
