"""Emulated meters as a process on a line: read by pymodbus and by the firmware on the real VM, recorded, and broken."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import ModbusSerialClient

from hil.clock import ScaledClock
from hil.meter import ILLEGAL_ADDRESS, PROFILES, read_profile
from hil.meter_capture import told
from hil.process import Process

REPO = Path(__file__).resolve().parent.parent.parent
START_MS = 1772380800_000
METER_645 = "202603010012"


class Site:
    """A process with three meters, of two protocols and speeds; `pty` is the terminal's end of their bus."""

    def __init__(self, folder: Path, faults: list[dict[str, Any]], meters: list[dict[str, Any]] | None = None) -> None:
        config = {
            "log": "served.jsonl",
            "capture": "bus.jsonl",
            "meters": meters
            or [
                {"address": 1, "profile": "sdm630", "load": {"kind": "constant", "rated_w": 12_345}, "faults": faults},
                {
                    "address": 2,
                    "profile": "dtsu666",
                    "load": {"kind": "constant", "rated_w": 2_000},
                    "start_import_wh": 7_000_000,
                },
                {
                    "address": METER_645,
                    "profile": "dlt645_3p",
                    "baud": 2400,
                    "load": {"kind": "constant", "rated_w": 3_000},
                    "faults": faults,
                },
            ],
        }
        self._log = folder / "served.jsonl"
        self.capture = folder / "bus.jsonl"
        (folder / "meters.json").write_text(json.dumps(config))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hil.meters", "--config", folder / "meters.json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=REPO,
            env={**os.environ, **ScaledClock(time.time_ns(), START_MS, 60).env()},
        )
        assert self.process.stdout is not None
        self.pty: str = json.loads(self.process.stdout.readline())["pty"]

    def fault(self, **line: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        self.process.stdin.flush()

    def obeyed(self) -> None:
        """Return once it has all that it was told: it names what means nothing to it."""
        self.fault(obeyed=True)
        assert self.process.stderr is not None
        assert b"ignored" in self.process.stderr.readline()

    def end(self) -> list[dict[str, Any]]:
        """The log."""
        self.process.terminate()
        assert self.process.wait(30) == 0
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()

    def vm(self, span_ms: int) -> list[dict[str, Any]]:
        """What the firmware on the real VM says of the meters."""
        command = [str(REPO / "build/vm64/micropython"), str(REPO / "tests/hil/vm_poll.py")]
        done = subprocess.run(
            [*command, self.pty, str(span_ms), "1=sdm630@115200", "2=dtsu666@9600", f"{METER_645}=dlt645_3p@2400"],
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
    one.close()


def test_an_independent_client_reads_the_meters_and_is_refused_writes(site: Site) -> None:
    """pymodbus as the master. The write that it tries changes nothing, is not answered, and is in the log."""
    client = ModbusSerialClient(site.pty, baudrate=9600, timeout=5, retries=0)
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
    assert [row.problem for row in told(site.capture) if row.problem] == [
        "WRITE COMMAND to meter 2: function 06 写命令"
    ]


NAMES = sorted(path.stem for path in PROFILES.glob("*.json"))
MODBUS = [name for name in NAMES if read_profile(name)["protocol"] == "modbus-rtu"]
TYPES = {"u16": "UINT16", "i16": "INT16", "u32": "UINT32", "i32": "INT32", "f32": "FLOAT32", "i64": "INT64"}


def test_an_independent_client_reads_every_modbus_model(tmp_path: Path) -> None:
    """pymodbus and the register maps, without a line of the firmware: power and energy of each model."""
    loads = {"load": {"kind": "constant", "rated_w": 12_000}, "start_import_wh": 7_000_000}
    meters = [{"address": number, "profile": name, **loads} for number, name in enumerate(MODBUS, 1)]
    one = Site(tmp_path, [], meters)
    client = ModbusSerialClient(one.pty, baudrate=9600, timeout=5, retries=0)
    assert client.connect()
    try:
        for number, name in enumerate(MODBUS, 1):
            described = read_profile(name)
            for quantity, least, most in (("p_w", 12_000, 12_001), ("e_import_wh", 7_000_000, 7_100_000)):
                entry = described["quantities"][quantity]
                read = client.read_holding_registers if described["function"] == 3 else client.read_input_registers
                kind = client.DATATYPE[TYPES.get(entry["type"], "UINT32")]  # a positive sm32 is a u32
                answer = read(int(entry["register"], 16), count=kind.value[1], device_id=number)
                order = "little" if entry.get("word_order", described["word_order"]) == "low_first" else "big"
                value = client.convert_from_registers(answer.registers, kind, order)  # type: ignore[arg-type]
                assert isinstance(value, (int, float))
                assert least <= value * entry["scale"][0] / entry["scale"][1] <= most, (name, quantity)
    finally:
        client.close()  # type: ignore[no-untyped-call]
        one.end()
        one.close()


def test_the_firmware_on_the_real_vm_reads_what_the_meters_showed(site: Site) -> None:
    """P-86: two protocols and three speeds on one bus; the DL/T 645 meter hears its own speed only."""
    polls = site.vm(1500)
    *results, figures = polls
    assert figures["transactions"] > 30
    served = [(row["address"], row["values"]) for row in site.end()]
    read = [(row["address"], row["result"]) for row in results]
    assert {address for address, _ in read} == {1, 2, METER_645}
    assert read == served


def test_the_recorder_proves_that_nothing_was_written(site: Site) -> None:
    """S-18: the capture of a bus on which the real VM reads; every byte to the meters is a plain read."""
    site.vm(600)
    site.end()
    rows = list(told(site.capture))
    assert [row.problem for row in rows if row.problem] == []
    assert {row.protocol for row in rows} == {"modbus-rtu", "dlt645"}
    assert {row.finding["verdict"] for row in rows} == {"ok"}
    assert len([row for row in rows if row.to == "meters"]) > 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"fault": "silent"}, 1),
        ({"fault": "exception", "code": 2}, 2),
        ({"fault": "garbled"}, 3),
        ({"fault": "pieces"}, None),
        ({"fault": "parts"}, None),  # DL/T 645 in frames of four bytes each
        ({"fault": "delay", "ms": 100}, None),
        ({"fault": "delay", "ms": 1000}, 1),
    ],
)
def test_faults_are_what_the_firmware_sees(site: Site, fault: dict[str, Any], expected: int | None) -> None:
    """R-12: on the real VM an answer in pieces, 100 ms apart, is a value. R-10: an answer 2.5 timeouts late is none."""
    for address in (1, METER_645):
        site.fault(address=address, **fault)
    site.obeyed()
    *results, _ = site.vm(3000)
    assert all(isinstance(row["result"], dict) for row in results if row["address"] == 2)
    for address, power_w in ((1, 12_345), (METER_645, 3_000)):
        disturbed = [row["result"] for row in results if row["address"] == address]
        assert disturbed
        if expected is None:
            assert all(isinstance(result, dict) and result["p_w"] == power_w for result in disturbed)
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
        deadline = time.monotonic() + 60
        while process.running and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.status == 2
    assert "address" in (tmp_path / "log").read_text()
