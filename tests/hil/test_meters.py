"""Emulated meters: exact in themselves, and read right by the firmware's code, by pymodbus, and on the real VM."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client import ModbusSerialClient
from terminal import bus, profile

from firmware import DEVICE
from hil.clock import ScaledClock
from hil.load import Constant
from hil.meter import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ILLEGAL_VALUE, PROFILES, Meter, read_profile
from hil.meters import crc16, framed
from hil.process import Process
from tests.firmware.virtual_bus import Answer, VirtualBoard, VirtualUart, finished

REPO = Path(__file__).resolve().parent.parent.parent
START_MS = 1772380800_000
NAMES = sorted(path.stem for path in PROFILES.glob("*.json"))
SDM630 = {"ua": "435C199A", "ub": "435BCCCD", "uc": "435C6666", "p": "4551199A", "e": "449A51EC"}
KNOWN = {
    "p_w": Fraction("3345.6"),
    "q_var": Fraction("-1100.25"),
    "e_import_wh": Fraction(1_234_560),
    "e_export_wh": Fraction(987),
    "r_import_varh": Fraction(55_500),
    "r_export_varh": Fraction(1_000),
    "ua_dv": Fraction(2201),
    "ub_dv": Fraction(2198),
    "uc_dv": Fraction(2204),
    "ia_ma": Fraction(5120),
    "ib_ma": Fraction(5090),
    "ic_ma": Fraction(5200),
    "pf_milli": Fraction(-871),
}


class Known(Meter):
    """A meter that measures what it is told."""

    def quantities(self, now_ms: int) -> dict[str, Fraction]:
        del now_ms
        return KNOWN


def known(name: str, ratios: tuple[int, int] = (1, 1)) -> Meter:
    return Known(read_profile(name), Constant(0), START_MS, 0, ratios)


def polled(meter: Meter, name: str, ratios: tuple[int, int] = (1, 1)) -> tuple[dict[str, int], dict[str, int]]:
    """(what the firmware's bus and profile make of it, what the meter truly showed)."""
    shown: dict[str, int] = {}

    def wire(request: bytes) -> Answer:
        first, count = int.from_bytes(request[2:4], "big"), int.from_bytes(request[4:6], "big")
        served = meter.read(request[1], first, count, START_MS + 60_000)
        shown.update(served.values)
        return [(2, framed(request[:2] + bytes((len(served.data),)) + served.data))]

    board = VirtualBoard()
    one = bus.Bus(board, VirtualUart(board, wire), 9600, [])
    loaded = profile.load(name, str(DEVICE / "profiles"))
    return finished(one.poll(bus.Meter(1, 1, loaded, ratios, 300))), shown


@pytest.mark.parametrize("name", NAMES)
def test_every_quantity_of_every_profile_is_read_with_its_known_value(name: str) -> None:
    read, shown = polled(known(name), name)
    assert set(read) == set(read_profile(name)["quantities"])
    assert read == shown
    for quantity, value in read.items():
        assert abs(value - KNOWN[quantity]) <= Fraction(1, 2) + abs(KNOWN[quantity]) / 2**23


def test_the_worked_bytes_of_the_manuals_are_what_the_meters_send() -> None:
    dtsu666, sdm630 = known("dtsu666"), known("sdm630")
    assert dtsu666.read(3, 0x2006, 6, START_MS).data.hex() == "450990004509600045" + "09c000"
    assert dtsu666.read(3, 0x2012, 2, START_MS).data.hex() == "4702b000"
    assert dtsu666.read(3, 0x101E, 2, START_MS).data.hex() == "449a51ec"
    assert sdm630.read(4, 0, 6, START_MS).data.hex().upper() == SDM630["ua"] + SDM630["ub"] + SDM630["uc"]
    assert sdm630.read(4, 0x34, 2, START_MS).data.hex().upper() == SDM630["p"]
    assert sdm630.read(4, 0x48, 2, START_MS).data.hex().upper() == SDM630["e"]
    assert len(dtsu666.read(3, 0x2000, 0x46, START_MS).data) == 140


@given(st.integers(0, 600_000), st.integers(0, 16_000_000_000), st.sampled_from(NAMES), st.integers(1, 400))
def test_the_firmware_reads_exactly_what_the_meter_showed(power_w: int, energy_wh: int, name: str, ct: int) -> None:
    ratios = (ct, 1) if name == "dtsu666" else (1, 1)
    meter = Meter(read_profile(name), Constant(power_w), START_MS, energy_wh, ratios)
    read, shown = polled(meter, name, ratios)
    assert read == shown


@given(st.integers(0, 10**7), st.lists(st.integers(1, 10**7), max_size=20))
def test_energy_is_the_exact_sum_of_power_times_time(power_w: int, waits_ms: list[int]) -> None:
    meter = Meter(read_profile("sdm630"), Constant(power_w), START_MS, 1000)
    now_ms = START_MS
    for wait_ms in waits_ms:
        now_ms += wait_ms
        meter.read(4, 0x48, 2, now_ms)
    exact = 1000 + Fraction(power_w * (now_ms - START_MS), 3_600_000)
    assert meter.quantities(now_ms)["e_import_wh"] == exact


def test_what_a_meter_refuses() -> None:
    meter = known("sdm630")
    assert meter.read(3, 0, 6, START_MS).exception == ILLEGAL_FUNCTION
    assert meter.read(4, 0x4E, 4, START_MS).exception == ILLEGAL_ADDRESS
    assert meter.read(4, 0, 81, START_MS).exception == ILLEGAL_VALUE
    assert meter.read(4, 0, 0, START_MS).exception == ILLEGAL_VALUE


def test_the_meters_crc_is_that_of_the_standard() -> None:
    assert crc16(bytes.fromhex("010320000046CFF8")) == 0
    assert framed(bytes.fromhex("018302")).hex() == "018302c0f1"


class Site:
    """A process with two meters; `pty` is the terminal's end of their bus."""

    def __init__(self, folder: Path, faults: list[dict[str, Any]]) -> None:
        config = {
            "log": "served.jsonl",
            "meters": [
                {"address": 1, "profile": "sdm630", "load": {"kind": "constant", "rated_w": 12_345}, "faults": faults},
                {
                    "address": 2,
                    "profile": "dtsu666",
                    "load": {"kind": "constant", "rated_w": 2_000},
                    "start_import_wh": 7_000_000,
                },
            ],
        }
        self._log = folder / "served.jsonl"
        (folder / "meters.json").write_text(json.dumps(config))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hil.meters", "--config", folder / "meters.json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPO,
            env={**os.environ, **ScaledClock(time.time_ns(), START_MS, 60).env()},
        )
        assert self.process.stdout is not None
        self.pty: str = json.loads(self.process.stdout.readline())["pty"]

    def fault(self, **line: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        self.process.stdin.flush()

    def end(self) -> list[dict[str, Any]]:
        """The log."""
        self.process.terminate()
        assert self.process.wait(10) == 0
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def vm(self, span_ms: int) -> list[dict[str, Any]]:
        """What the firmware on the real VM says of both meters."""
        command = [str(REPO / "build/vm64/micropython"), str(REPO / "tests/hil/vm_poll.py")]
        done = subprocess.run(
            [*command, self.pty, "115200", str(span_ms), "1=sdm630", "2=dtsu666"],
            env={**os.environ, "MICROPYPATH": f"{REPO}:{REPO / 'firmware/device'}:.frozen"},
            capture_output=True,
            check=True,
            timeout=60,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    one = Site(tmp_path, getattr(request, "param", []))
    yield one
    one.process.kill()
    one.process.wait()
    for pipe in (one.process.stdin, one.process.stdout):
        assert pipe is not None
        pipe.close()


def test_an_independent_client_reads_the_meters_and_is_refused_writes(site: Site) -> None:
    """pymodbus as the master. The write that it tries changes nothing, is not answered, and is in the log."""
    client = ModbusSerialClient(site.pty, baudrate=9600, timeout=0.5, retries=0)
    assert client.connect()
    try:
        answer = client.read_input_registers(0, count=80, device_id=1)
        floats = client.convert_from_registers(answer.registers, client.DATATYPE.FLOAT32)
        assert isinstance(floats, list)
        assert floats[26] == 12_345.0
        assert client.read_input_registers(0x4F, count=2, device_id=1).exception_code == ILLEGAL_ADDRESS
        energy = client.read_holding_registers(0x101E, count=12, device_id=2)
        import_kwh = client.convert_from_registers(energy.registers[:2], client.DATATYPE.FLOAT32)
        assert isinstance(import_kwh, float)
        assert 7000 <= import_kwh < 7100
        with pytest.raises(Exception, match="No response"):
            client.write_register(2, 1, device_id=2)
    finally:
        client.close()  # type: ignore[no-untyped-call]
    rows = site.end()
    assert rows[0]["values"]["p_w"] == 12_345
    assert [row["function"] for row in rows if row.get("event") == "refused"] == [6]


def test_the_firmware_on_the_real_vm_reads_what_the_meters_showed(site: Site) -> None:
    polls = site.vm(600)
    *results, figures = polls
    assert figures["transactions"] > 30
    served = [(row["address"], row["values"]) for row in site.end()]
    read = [(row["address"], row["result"]) for row in results]
    assert len(read) > 20
    assert read == served


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"fault": "silent"}, 1),
        ({"fault": "exception", "code": 2}, 2),
        ({"fault": "garbled"}, 3),
        ({"fault": "pieces"}, None),
        ({"fault": "delay", "ms": 100}, None),
        ({"fault": "delay", "ms": 1000}, 1),
    ],
)
def test_faults_are_what_the_firmware_sees(site: Site, fault: dict[str, Any], expected: int | None) -> None:
    """R-12: on the real VM an answer in pieces, 100 ms apart, is a value. R-10: an answer 2.5 timeouts late is none."""
    site.fault(address=1, **fault)
    time.sleep(0.3)
    *results, _ = site.vm(2500)
    disturbed = [row["result"] for row in results if row["address"] == 1]
    well = [row["result"] for row in results if row["address"] == 2]
    assert all(isinstance(result, dict) for result in well)
    if expected is None:
        assert all(isinstance(result, dict) and result["p_w"] == 12_345 for result in disturbed)
    else:
        assert disturbed == [expected] * len(disturbed)


@pytest.mark.parametrize("site", [[{"fault": "silent", "from_ms": 0, "to_ms": 2**53}]], indirect=True)
def test_a_planned_fault_holds_until_a_line_or_its_end(site: Site) -> None:
    *results, _ = site.vm(300)
    assert {row["result"] for row in results if row["address"] == 1} == {1}


def test_a_wrong_configuration_ends_the_process_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "meters.json").write_text('{"meters": [{"address": 300}], "log": "x"}')
    process = Process(
        "meters",
        [sys.executable, "-m", "hil.meters", "--config", str(tmp_path / "meters.json")],
        tmp_path / "log",
        ScaledClock(time.time_ns(), START_MS, 60).env(),
    )
    with process:
        process.start()
        deadline = time.monotonic() + 10
        while process.running and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.status == 2
    assert "address" in (tmp_path / "log").read_text()
