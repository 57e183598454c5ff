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
from hil.meter_capture import told
from hil.meter_feeder import Feeder
from hil.meter_frames import crc16, framed, framed_645, take_request
from hil.meter_slave import frame_of, serve
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
    **{f"p{phase}_w": Fraction("1115.2") for phase in "abc"},
    **{f"q{phase}_var": Fraction("-366.75") for phase in "abc"},
    **{f"pf{phase}_milli": Fraction(-871) for phase in "abc"},
}
SECOND = {name: value + 3 for name, value in KNOWN.items()}  # of a second circuit
RATIOS = {True: (1, 1), False: (40, 10)}  # where the terminal multiplies
ADDRESS = {"modbus-rtu": 1, "dlt645": "202603010012"}


class Known(Meter):
    """A meter that measures what it is told."""

    def quantities(self, now_ms: int, circuit: int = 1) -> dict[str, Fraction]:
        del now_ms
        return KNOWN if circuit == 1 else SECOND


def known(name: str, ratios: tuple[int, int] = (1, 1), energy_wh: int = 0) -> Meter:
    read = read_profile(name)
    more = [Feeder(Constant(0), START_MS, energy_wh)] * (read.get("circuits", 1) - 1)
    return Known(read, Constant(0), START_MS, energy_wh, ratios, more)


def polled(
    meter: Meter, name: str, ratios: tuple[int, int] = (1, 1), circuit: int = 1
) -> tuple[dict[str, int | None], dict[str, int | None]]:
    """(what the firmware's bus and profile make of it, what the meter truly showed)."""
    shown: dict[str, int | None] = {}

    def wire(raw: bytes) -> Answer:
        request = take_request(bytearray(raw))
        assert request is not None
        served = serve(meter, request, START_MS + 60_000)
        shown.update(served.circuits.get(circuit, {}))
        return [(2, frame_of(request, served))]

    board = VirtualBoard()
    line = bus.Line(9600, "N", 1)
    loaded = profile.load(name, str(DEVICE / "profiles"))
    asked = bus.Meter(ADDRESS[loaded.protocol_name], 1, loaded, ratios, 300, line, circuit)
    return finished(bus.Bus(board, VirtualUart(board, wire), line, [asked]).poll(asked)), shown


@pytest.mark.parametrize("name", NAMES)
def test_every_quantity_of_every_profile_is_read_with_its_known_value(name: str) -> None:
    """P-85"""
    described = read_profile(name)
    for ratios in {(1, 1), RATIOS[described["ratios_applied"]]}:
        for circuit, values in ((1, KNOWN), (2, SECOND))[: described.get("circuits", 1)]:
            read, shown = polled(known(name, ratios), name, ratios, circuit)
            assert set(read) == set(described["quantities"])
            assert read == shown
            for quantity, value in read.items():
                step = Fraction(*described["quantities"][quantity]["scale"]) * (ratios[0] * ratios[1])
                expected = values[quantity]
                if value is None:  # reactive power to the left, or more than the display holds
                    assert expected < 0 or described["protocol"] == "dlt645"
                    continue
                if described["quantities"][quantity]["type"][0] in "ub" and expected < 0:
                    continue
                if described["quantities"][quantity]["type"] == "f32":
                    step = abs(expected) / 2**23
                assert abs(value - expected) <= Fraction(1, 2) + step / 2, quantity


def test_the_worked_bytes_of_the_manuals_are_what_the_meters_send() -> None:
    dtsu666, sdm630 = known("dtsu666"), known("sdm630")
    assert dtsu666.read(3, 0x2006, 6, START_MS).data.hex() == "450990004509600045" + "09c000"
    assert dtsu666.read(3, 0x2012, 2, START_MS).data.hex() == "4702b000"
    assert dtsu666.read(3, 0x101E, 2, START_MS).data.hex() == "449a51ec"
    assert sdm630.read(4, 0, 6, START_MS).data.hex().upper() == SDM630["ua"] + SDM630["ub"] + SDM630["uc"]
    assert sdm630.read(4, 0x34, 2, START_MS).data.hex().upper() == SDM630["p"]
    assert sdm630.read(4, 0x48, 2, START_MS).data.hex().upper() == SDM630["e"]
    assert len(dtsu666.read(3, 0x2000, 0x46, START_MS).data) == 140
    adl400 = known("adl400", (40, 1))
    assert adl400.read(3, 0x008D, 2, START_MS).data.hex() == "00010028"


class Worked(Meter):
    """The meter of the worked DL/T 645 frames."""

    def quantities(self, now_ms: int, circuit: int = 1) -> dict[str, Fraction]:
        del now_ms, circuit
        return {
            **KNOWN,
            "e_import_wh": Fraction(123_456_780),
            **dict(zip(("ia_ma", "ib_ma", "ic_ma"), map(Fraction, (5123, 5087, -5201)), strict=True)),
            **dict(zip(("pa_w", "pb_w", "pc_w"), map(Fraction, ("1120", "1105.6", "1120")), strict=True)),
            **dict(
                zip(
                    ("pf_milli", "pfa_milli", "pfb_milli", "pfc_milli"),
                    map(Fraction, (985, 990, 980, -985)),
                    strict=True,
                )
            ),
        }


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("68 11 04 33 33 34 33 0E 16", "68 91 08 33 33 34 33 AB 89 67 45 72 16"),
        ("68 11 04 33 32 34 35 0F 16", "68 91 0A 33 32 34 35 34 55 CB 54 37 55 C9 16"),
        ("68 11 04 33 32 35 35 10 16", "68 91 0D 33 32 35 35 56 84 33 BA 83 33 34 85 B3 82 16"),
        ("68 11 04 33 32 36 35 11 16", "68 91 10 33 32 36 35 89 67 36 33 45 34 89 43 34 33 45 34 1B 16"),
        ("68 11 04 33 32 39 35 14 16", "68 91 0C 33 32 39 35 B8 3C C3 3C B3 3C B8 BC F2 16"),
    ],
)
def test_the_worked_frames_of_dlt645_are_what_the_meter_sends(asked: str, answer: str) -> None:
    head = "68 12 00 01 03 26 20 "
    meter = Worked(read_profile("dlt645_3p"), Constant(0), START_MS, 0)
    request = take_request(bytearray.fromhex("FE FE FE FE" + head + asked))
    assert request is not None
    assert frame_of(request, serve(meter, request, START_MS)) == bytes.fromhex(head + answer)


def test_what_a_dlt645_meter_has_not_it_refuses_as_the_standard_says() -> None:
    meter = Worked(read_profile("dlt645_1p"), Constant(0), START_MS, 0)
    request = take_request(bytearray(framed_645("202603010012", 0x11, bytes.fromhex("01000D03"))))
    assert request is not None
    expected = bytes.fromhex("68 12 00 01 03 26 20 68 D1 01 35 33 16")
    assert frame_of(request, serve(meter, request, START_MS)) == expected


@given(st.integers(0, 60_000), st.integers(0, 16_000_000_000), st.sampled_from(NAMES), st.integers(1, 400))
def test_the_firmware_reads_exactly_what_the_meter_showed(power_w: int, energy_wh: int, name: str, ct: int) -> None:
    """P-85"""
    ratios = (1, 1) if read_profile(name)["ratios_applied"] else (ct, 1)
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
        assert self.process.wait(30) == 0
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
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
    assert [row.problem for row in told(site.capture) if row.problem] == [
        "WRITE COMMAND to meter 2: function 06 写命令"
    ]


MODBUS = [name for name in NAMES if read_profile(name)["protocol"] == "modbus-rtu"]
TYPES = {"u16": "UINT16", "i16": "INT16", "u32": "UINT32", "i32": "INT32", "f32": "FLOAT32", "i64": "INT64"}


def test_an_independent_client_reads_every_modbus_model(tmp_path: Path) -> None:
    """pymodbus and the register maps, without a line of the firmware: power and energy of each model."""
    loads = {"load": {"kind": "constant", "rated_w": 12_000}, "start_import_wh": 7_000_000}
    meters = [{"address": number, "profile": name, **loads} for number, name in enumerate(MODBUS, 1)]
    one = Site(tmp_path, [], meters)
    client = ModbusSerialClient(one.pty, baudrate=9600, timeout=1, retries=0)
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
    time.sleep(0.3)
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
        deadline = time.monotonic() + 30
        while process.running and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.status == 2
    assert "address" in (tmp_path / "log").read_text()
