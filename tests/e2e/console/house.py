"""A gateway's folder as an operator finds it of a morning, and its console as a process of its own."""

import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from gateway import registry
from gateway.cli import app
from gateway.config import QuarantineConfig, VerifyConfig
from gateway.files import write_secret
from gateway.journal.journal import Journal
from gateway.quarantine.quarantine import Quarantine, Refused
from hil.process import Process
from protocol.host import commissioning, sealing, signed
from tests.gateway.commissioning.newcomer import KEY, NEW, POINT, SECRET
from tests.gateway.support import Sender, accept, commit, event, reading, window, write_key

PAGES = (
    "enterprises",
    "enterprises?view=map",
    "enterprise/E1",
    "fleet",
    "gaps/T0001",
    "alarms",
    "alarm/1",
    "notice/1",
    "quarantine",
    "frame/2",
    "sinks",
    "admission",
    "audit",
)
TRANSFERRED = """performance.getEntries().filter(one => one.encodedBodySize && !one.name.includes("/api/"))
    .reduce((sum, one) => sum + one.encodedBodySize, 0)"""

PASSWORD = "correct horse battery"
ROLES = {"vera": "viewer", "olga": "operator", "ada": "admin"}
SENDER = Sender()
SLOT_S = 900
EVENING_H = 18  # by then a day of 24 hours has most of what it will have
DAYS = 3
SLOTS = 96 * DAYS
MISSING = range(SLOTS - 60, SLOTS - 54)
DOUBTFUL = range(SLOTS - 44, SLOTS - 40)  # readings though no sample was taken: verify marks them
OFF = (range(SLOTS - 200, SLOTS - 192), range(SLOTS - 30, SLOTS - 22))
SAMPLES_DUE = 180
CHART = re.compile(r"1 号炉: production \d+\.\d\d kW on average, treatment \d+\.\d\d kW, \d alarms")
TERMINALS = """\
[[terminal]]
id = "T0001"
keys = [{generation = 1, file = "T0001.hex"}]
points = [{number = 1, name = "电弧炉", kind = "production"}, {number = 2, name = "除尘风机", kind = "treatment"}]
"""
ENTERPRISES = """\
[[enterprise]]
id = "E1"
name = "第一炼钢厂"
latitude = 28.2282
longitude = 112.9388

[[enterprise.linkage]]
name = "1 号炉"
production = ["T0001/1"]
treatment = ["T0001/2"]
production_on_w = 100000
treatment_on_w = 20000

[[enterprise]]
id = "E2"
name = "东郊水泥厂"
latitude = 28.11
longitude = 113.2
linkage = []
"""


def first_s() -> int:
    """The begin of the first window: the last one ended just now."""
    return int(time.time()) // SLOT_S * SLOT_S - SLOTS * SLOT_S


def utc_offset_h() -> int:
    """Of a place where it is evening: whenever the test runs, its pages of today have what is up to 17 hours old."""
    return (EVENING_H - int(time.time()) // 3600 + 9) % 24 - 9


def powers_w(number: int) -> tuple[int, int]:
    """A furnace by heats, never two windows alike; its fan, but for two spans."""
    heat = 640_000 if number % 7 < 5 else 210_000
    off = any(number in span for span in OFF)
    return heat + number * 7919 % 40_001, (600 if off else 56_000) + number * 104_729 % 3_001


def make(folder: Path, begin_s: int, port: int = 1) -> Path:
    """Everything of gateway.toml's, from the journal of three days to the alarms that the watch found in it.

    port: the broker's; 1: there is none.
    """
    config = files(folder, port)
    journal, energies, points = Journal(folder / "data", VerifyConfig()), [10**7, 10**6], _points(folder)
    boot = event(SLOTS, begin_s + 60, values=[1, 1_004_002])
    commit(journal, [accept(SENDER, SENDER.frame([boot]), points, begin_s + 80)])
    for number in range(SLOTS):
        sealed = SENDER.frame([_record(number, begin_s, energies)])
        if number not in MISSING:
            commit(journal, [accept(SENDER, sealed, points, begin_s + (number + 1) * SLOT_S + 20)])
    journal.close()
    _refuse(folder, begin_s)
    command(config, "watch", "--once")
    return config


def files(folder: Path, port: int = 1) -> Path:
    """gateway.toml and what it names, with users of each role."""
    folder.mkdir(exist_ok=True)
    (folder / "data").mkdir()
    write_key(folder / "T0001.hex", SENDER.secret)
    (folder / "terminals.toml").write_text(TERMINALS)
    (folder / "enterprises.toml").write_text(ENTERPRISES)
    public = KEY.public_key().public_bytes_raw().hex()
    (folder / "technicians.toml").write_text(f'[[technician]]\nname = "li.wei"\nkey = "{public}"\n')
    config = folder / "gateway.toml"
    config.write_text(
        'data_dir = "data"\nterminals = "terminals.toml"\nenterprises = "enterprises.toml"\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n[metrics]\nport = 0\n'
        f'[console]\nusers = "users.toml"\nport = 0\nutc_offset_h = {utc_offset_h()}\n'
        '[[sink]]\nname = "province"\nkind = "mqtt"\nhost = "127.0.0.1"\n'
    )
    write_secret(folder / "password", PASSWORD)
    for name, role in ROLES.items():
        command(config, "console-user", name, "--role", role, "--password-file", str(folder / "password"))
    return config


def command(config: Path, *words: str) -> str:
    """A command of the gateway that succeeds; returns what it prints."""
    done = CliRunner().invoke(app, [words[0], *words[1:], "--config", str(config)])
    assert done.exit_code == 0, done.output
    return done.stdout


@contextmanager
def console(config: Path) -> Iterator[str]:
    """`wattline gateway console` as a process; its address."""
    with console_process(config) as (address, _):
        yield address


@contextmanager
def console_process(config: Path) -> Iterator[tuple[str, int]]:
    """The same; its address and its pid."""
    words = [str(Path(sys.executable).with_name("wattline")), "gateway", "console", "--config", str(config), "--json"]
    process = Process("console", words, config.parent / "console.log")
    begin = len(process.text())
    process.start()
    try:
        yield process.wait_for_line(r'"console": ?"([^"]+)"', 60, begin)[1], process.pid
    finally:
        process.stop()


@contextmanager
def gateway(config: Path) -> Iterator[Process]:
    """`wattline gateway run` as a process, which takes frames."""
    words = [str(Path(sys.executable).with_name("wattline")), "gateway", "run", "--config", str(config)]
    process = Process("gateway", words, config.parent / "gateway.log")
    process.start()
    try:
        process.wait_for_line(r'^\{"ready": true', 60)
        yield process
    finally:
        process.stop()


def missed(begin_s: int) -> list[bytes]:
    """The records that did not come, as the terminal still has them."""
    energies = [10**7, 10**6]
    return [_record(number, begin_s, energies) for number in range(MISSING.stop)][MISSING.start :]


def enrolment(config: Path) -> str:
    """A technician's document that makes T0042 known."""
    sealing_key = json.loads(command(config, "sealing-key", "--json"))["sealing_key"]
    body: dict[str, Any] = {
        "terminal": NEW.name,
        "enterprise": {"id": "E1", "name": "第一炼钢厂"},
        "place": "switchboard 2",
        "board": "esp32s3",
        "made": "2026-02-28T08:00:00Z",
        "generation": 1,
        "sealed_key": sealing.seal(SECRET, bytes.fromhex(sealing_key), NEW.name, 1).hex(),
        "points": [{"number": 1, **POINT, "register_step_wh": 800}],
    }
    return signed.sign(commissioning.ENROLMENT, body, "li.wei", KEY).decode()


def _points(folder: Path) -> dict[int, registry.Point]:
    terminal = registry.load(folder / "terminals.toml").get("T0001")
    assert terminal is not None
    return dict(terminal.points)


def _record(number: int, begin_s: int, energies: list[int]) -> bytes:
    readings = []
    for place, power_w in enumerate(powers_w(number)):
        energies[place] += power_w // 4
        amperes = power_w * 1000 // 660
        readings.append(
            reading(
                p_mean_w=power_w,
                p_min_w=power_w * 9 // 10,
                p_max_w=power_w * 11 // 10,
                e_import_wh=energies[place],
                ia_ma=amperes,
                pf_milli=930 + number % 13,
                missed=SAMPLES_DUE if number in DOUBTFUL else 0,
            )
        )
    return window(number, begin_s + number * SLOT_S, readings, samples_due=SAMPLES_DUE)


def _refuse(folder: Path, begin_s: int) -> None:
    """A frame of a window that is missing, refused while nobody knew its terminal; one of a terminal that knocks."""
    now_ms = int(time.time() * 1000)
    quarantine = Quarantine(folder / "data", QuarantineConfig())
    for sender, frame in ((SENDER, SENDER.frame(missed(begin_s)[:1])), (NEW, NEW.frame([event(1, begin_s)]))):
        quarantine.add([Refused(now_ms, sender.name, f"wattline/up/{sender.name}", "terminal", 0, len(frame), frame)])
    quarantine.close()
