"""Emulated meters: exact in themselves, and read right by the firmware's code, by pymodbus, and on the real VM."""

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminal import bus, profile

from firmware import DEVICE
from hil.load import Constant
from hil.meter import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ILLEGAL_VALUE, PROFILES, Meter, read_profile
from hil.meter_feeder import Feeder
from hil.meter_frames import crc16, framed, framed_645, take_request
from hil.meter_slave import frame_of, serve
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
