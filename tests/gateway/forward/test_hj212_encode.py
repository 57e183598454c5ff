"""The mapping file, and a window's record -> the packets of CN 2051."""

import pathlib
from fractions import Fraction
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cext.decoder import decode_payloads
from gateway.forward.hj212.encode import WindowContent, content_of, decimal_text, encode_window
from gateway.forward.hj212.mapping import QUANTITIES, Mapping, load_mapping
from gateway.hj212.packet import PacketError
from gateway.hj212.parse import parse
from gateway.hj212.split import Joiner, Message
from gateway.hj212.times import qn_of
from protocol import cbor, record
from protocol.host.strict import ConfigError
from tests.gateway import support

START_S = 1_772_323_200  # 2026-03-01 08:00:00 Beijing
MN = "010000A8900016F000169DC0"
GOOD = f"""
[[station]]
terminal = "T0001"
mn = "{MN}"
st = "32"
pw = "831027"
[[station.item]]
point = 1
code = "i33200"
quantity = "p"
attributes = ["Min", "Avg", "Max"]
decimals = 1
[[station.item]]
point = 1
code = "i33201"
quantity = "e_import"
attributes = ["Cou"]
[[station.item]]
point = 2
code = "e30201"
quantity = "ia"
attributes = ["Avg"]
"""


def mapping_of(folder: pathlib.Path, text: str = GOOD) -> Mapping:
    path = folder / "platform.toml"
    path.write_text(text, "utf-8")
    return load_mapping(path)


def content(points: dict[int, Any]) -> WindowContent:
    """A window whose readings were sampled 3 s before its end, and ran."""
    usual = {"run_s": 900, "first_s": 2, "last_s": 3, "flags": 0}
    return WindowContent(
        START_S, 900, {n: one if isinstance(one, str) else {**usual, **one} for n, one in points.items()}, {}
    )


def messages(mapping: Mapping, window: WindowContent, terminal: str = "T0001") -> list[Message]:
    numbers = count(1_772_324_100_001)
    joiner = Joiner()
    received = [parse(packet.data) for packet in encode_window(mapping, terminal, window, lambda: qn_of(next(numbers)))]
    assert all(packet.verdict == "ok" and not packet.notes for packet in received)
    return [message for packet in received if packet.segment and (message := joiner.add(packet.segment))]


def test_window_is_the_packet_of_the_standard(tmp_path: pathlib.Path) -> None:
    """Byte for byte: period's start in Beijing time, Min, Avg, Max, Cou and Flag."""
    window = content(
        {
            1: {"p_min_w": 11_840, "p_mean_w": 12_260, "p_max_w": 12_850, "e_import_wh": 45_678_125},
            2: {"ia_ma": 5_087},
        }
    )
    (packet,) = encode_window(mapping_of(tmp_path), "T0001", window, lambda: "20260301081500001")
    expected = (
        "DataTime=20260301080000;i33200-Min=11.8,i33200-Avg=12.3,i33200-Max=12.8,i33200-Flag=N;"
        "i33201-Cou=45678.12,i33201-Flag=N;e30201-Avg=5.09,e30201-Flag=N"
    )
    header = f"QN=20260301081500001;ST=32;CN=2051;PW=831027;MN={MN};Flag=5;CP=&&"
    assert packet.data[6:-6].decode() == header + expected + "&&"
    assert (packet.qn, packet.mn) == ("20260301081500001", MN)


def test_silent_meter_is_flag_b_and_no_value(tmp_path: pathlib.Path) -> None:
    window = content({1: "none_silent", 2: {"ia_ma": 0}})
    (message,) = messages(mapping_of(tmp_path), window)
    assert message.items == (
        (("i33200-Flag", "B"),),
        (("i33201-Flag", "B"),),
        (("e30201-Avg", "0.00"), ("e30201-Flag", "N")),
    )


def test_marked_reading_is_never_called_normal(tmp_path: pathlib.Path) -> None:
    window = content({2: {"ia_ma": 5_087}})._replace(marks={2: ["energy_fell"]})
    (message,) = messages(mapping_of(tmp_path), window)
    assert message.items == ((("e30201-Avg", "5.09"), ("e30201-Flag", "D")),)


def test_what_the_meter_does_not_offer_is_left_out(tmp_path: pathlib.Path) -> None:
    """Absent is never zero, neither for a quantity nor for one attribute of it."""
    window = content({1: {"p_mean_w": 12_300, "e_import_wh": None}})
    (message,) = messages(mapping_of(tmp_path), window)
    assert message.items == ((("i33200-Avg", "12.3"), ("i33200-Flag", "N")),)


def test_window_without_anything_for_the_platform_is_no_packet(tmp_path: pathlib.Path) -> None:
    assert messages(mapping_of(tmp_path), content({7: "none_silent"})) == []


def test_terminal_that_the_platform_does_not_know(tmp_path: pathlib.Path) -> None:
    with pytest.raises(PacketError) as caught:
        messages(mapping_of(tmp_path), content({}), "T0002")
    assert caught.value.code == "unmapped"


def test_record_becomes_content() -> None:
    reading = support.reading(ua_dv=2201, ia_ma=5123, pf_milli=-900, q_mean_var=7)
    slots = [reading, None, record.NONE_SILENT, record.NONE_GARBLED, record.NONE_EXCEPTION, 77]
    window = record.Window(None, 900, 1, 900, 0, 65535, 90, slots)
    raw = record.encode_window(1, window)
    columns = decode_payloads([cbor.array([*(cbor.integer(number) for number in (1, 0, 0, 0)), cbor.array([raw])])])
    found = content_of(columns, 0, START_S, [("energy_fell", 1), ("time_in_future", None)])
    nothing = dict(zip((3, 4, 5, 6), ("none_silent", "none_garbled", "none_other", "none_other"), strict=True))
    assert found.points == {1: reading._asdict(), **nothing}
    assert found.marks == {1: ["energy_fell"], 0: ["time_in_future"]}


def test_every_quantity_is_a_field_of_a_reading() -> None:
    fields = {field for quantity in QUANTITIES.values() for field in quantity.fields.values()}
    assert fields <= set(record.Reading._fields)


def test_factory_of_32_points_is_split_and_comes_back_whole(tmp_path: pathlib.Path) -> None:
    items = "".join(
        f'[[station.item]]\npoint = {point}\ncode = "d2{number:02d}{point:02d}"\n'
        f'quantity = "{quantity}"\nattributes = ["{attribute}"]\ndecimals = 1\n'
        for point in range(1, 33)
        for number, (quantity, attribute) in enumerate(
            [("p", "Avg"), ("ua", "Avg"), ("ia", "Avg"), ("e_import", "Cou")]
        )
    )
    mapping = mapping_of(tmp_path, GOOD[: GOOD.index("[[station.item]]")] + items)
    reading = {"p_mean_w": 123_456, "ua_dv": 2201, "ia_ma": 5123, "e_import_wh": 123_456_780}
    window = content(dict.fromkeys(range(1, 33), reading))
    (message,) = messages(mapping, window)
    assert len(message.items) == 128
    first, again = (encode_window(mapping, "T0001", window, lambda: qn_of(1)) for _ in range(2))
    assert first == again


@given(st.integers(-(10**15), 10**15), st.integers(0, 3), st.data())
def test_decimal_text_is_exact_rounding_half_to_even(value: int, exponent: int, data: st.DataObject) -> None:
    decimals = data.draw(st.integers(0, exponent))
    text = decimal_text(value, exponent, decimals)
    assert Fraction(text) == Fraction(round(Fraction(value, 10 ** (exponent - decimals))), 10**decimals)
    assert len(text.partition(".")[2]) == decimals
    assert not text.startswith("-0") or Fraction(text) < 0


@pytest.mark.parametrize(
    ("value", "text"),
    [(12_345, "12.34"), (12_355, "12.36"), (-4, "0.00"), (-12_345, "-12.34"), (7, "0.01"), (5, "0.00")],
)
def test_decimal_text_examples(value: int, text: str) -> None:
    assert decimal_text(value, 3, 2) == text


@pytest.mark.parametrize(
    ("old", "new", "key", "allowed"),
    [
        ('quantity = "e_import"', 'quantity = "e_imported"', "station[0].item[1].quantity", "e_import"),
        ('code = "i33201"', 'code = "i33200"', "station[0].item[1].code", "each once"),
        (MN, MN.lower(), "station[0].mn", "[0-9A-F]{24}"),
        (MN, "JLYP01_AIR01_0001", "station[0].mn", "[0-9A-F]{24}"),
        ('st = "32"', "st = 32", "station[0].st", "[0-9]{2}"),
        ('pw = "831027"', 'pw = "sesame1"', "station[0].pw", "6 printable"),
        ('pw = "831027"', "pw = 8310271", "station[0].pw", "6 printable"),
        ("point = 2", "point = 33", "station[0].item[2].point", "1 to 32"),
        ('attributes = ["Cou"]', 'attributes = ["Avg"]', "station[0].item[1].attributes", "Cou"),
        ('attributes = ["Cou"]', "attributes = []", "station[0].item[1].attributes", "Cou"),
        ("decimals = 1", "decimals = 4", "station[0].item[0].decimals", "0 to 3"),
        ('quantity = "ia"', 'quantity = "ua"', "station[0].item[2].decimals", "0 to 1"),
        ("terminal =", "terminl =", "station[0].terminl", "terminal"),
    ],
)
def test_wrong_mapping_is_refused_naming_file_key_and_what_is_allowed(
    tmp_path: pathlib.Path, old: str, new: str, key: str, allowed: str
) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        mapping_of(tmp_path, GOOD.replace(old, new))
    told: Any = [problem for problem in caught.value.problems if problem.key == key]
    assert told, str(caught.value)
    assert "platform.toml" in str(told[0])
    assert allowed in str(told[0])
    assert "sesame1" not in str(caught.value)
    assert "831027" not in str(caught.value)


def test_one_terminal_and_one_mn_once(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError) as caught:
        mapping_of(tmp_path, GOOD + GOOD)
    assert {problem.key for problem in caught.value.problems} == {"station[1].terminal", "station[1].mn"}


def test_password_is_not_shown(tmp_path: pathlib.Path) -> None:
    assert "831027" not in repr(mapping_of(tmp_path))
