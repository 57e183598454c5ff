"""The compiled HJ 212 encoder against the plain one: the same bytes for any mapping and any window."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cext import hj212
from cext.decoder import Columns
from gateway.forward.hj212.encode import content_of, encode_window
from gateway.forward.hj212.mapping import FLAGS, QUANTITIES, ItemConfig, Mapping, StateConfig, Station
from gateway.forward.hj212.plan import Windows, table_of
from gateway.hj212.crc import crc
from gateway.hj212.packet import Packet, PacketError
from gateway.hj212.times import qn_of
from gateway.journal.reader import Stored
from protocol import record
from tests.cext.both import columns_of
from tests.protocol.strategies import windows as any_window

MN = "010000A8900016F000169DC0"
QN_MS = 1_772_324_100_998  # the next millisecond but one is another second


def numbers() -> Callable[[], str]:
    following = count(QN_MS)
    return lambda: qn_of(next(following))


def both(mapping: Mapping, one: Stored, columns: Columns, *, resent: bool) -> tuple[list[Packet], list[Packet]]:
    content = content_of(columns, 0, one.start_s or 0, one.marks)
    plain = encode_window(mapping, one.terminal, content, numbers(), resent=resent)
    return plain, Windows(mapping).encode(table_of(columns), 0, one, QN_MS, resent=resent)


@st.composite
def items(draw: st.DrawFn) -> ItemConfig:
    quantity = QUANTITIES[name := draw(st.sampled_from(sorted(QUANTITIES)))]
    exponent = draw(st.one_of(st.none(), st.integers(0, 6)))
    attributes: Any = draw(st.lists(st.sampled_from(sorted(quantity.fields)), min_size=1, unique=True))
    return ItemConfig(
        point=draw(st.integers(1, 32)),
        code=draw(st.from_regex(r"[a-z][0-9a-z]{4,15}", fullmatch=True)),
        quantity=name,
        attributes=attributes,
        decimals=draw(st.integers(0, min(3, quantity.exponent if exponent is None else exponent))),
        exponent=exponent,
        st=draw(st.sampled_from([None, "45", "31"])),
    )


@st.composite
def mappings(draw: st.DrawFn) -> Mapping:
    of_items = draw(st.lists(items(), max_size=90, unique_by=lambda item: item.code))
    points = draw(st.lists(st.integers(1, 32), max_size=3))
    states = tuple(StateConfig(point=point, code=f"SB{number}") for number, point in enumerate(points))
    flags = draw(st.fixed_dictionaries({name: st.sampled_from("NFMSDCTB") for name in FLAGS}))
    station = Station("T1", MN, "44", "831027", tuple(of_items), states)
    return Mapping({"T1": station}, draw(st.sampled_from([1, 2])), draw(st.booleans()), flags)


marks = st.lists(
    st.tuples(st.sampled_from(["energy_fell", "time_in_future"]), st.one_of(st.none(), st.integers(1, 32))), max_size=4
)


@given(any_window(), mappings(), marks, st.booleans(), st.integers(1_577_836_800, 4_102_444_800))
def test_the_bytes_are_those_of_the_plain_encoder(
    window: record.Window, mapping: Mapping, marks: list[tuple[str, int | None]], resent: bool, start_s: int
) -> None:
    """P-148."""
    columns = columns_of(record.encode_window(1, window))
    one = Stored(1, "T1", 0, 1, record.WINDOW, start_s, window.length_s, sorted(marks, key=repr))
    plain, compiled = both(mapping, one, columns, resent=resent)
    assert compiled == plain


def test_a_factory_of_32_points_is_split_alike_and_too_much_is_said() -> None:
    names = [name for name in QUANTITIES if "Rtd" in QUANTITIES[name].fields]
    every = [
        ItemConfig(
            point=point, code=f"d2{at:02d}{point:02d}", quantity=name, attributes=["Rtd", "SampleTime"], decimals=0
        )
        for at, name in enumerate(names)
        for point in range(1, 33)
    ]
    reading = record.Reading(*[2, 3, 900, 4000, 3500, 4500, *[10**12] * 4, *[2201] * 3, *[5000] * 3, 900, 0, 0, 7])
    window = record.Window(1_772_323_200, 900, 1, 900, 3, 1, 180, [reading] * 32)
    columns = columns_of(record.encode_window(1, window))
    one = Stored(1, "T1", 0, 1, record.WINDOW, 1_772_323_200, 900, [])
    lengths = set()
    for many in (60, 120, 300, len(every)):
        station = Station("T1", MN, "44", "831027", tuple(every[:many]))
        plain, compiled = both(Mapping({"T1": station}, 2), one, columns, resent=False)
        assert compiled == plain
        lengths.add(len(compiled))
    assert max(lengths) > 9
    more = [
        *every,
        *(
            ItemConfig(point=1, code=f"e{n:05d}{'y' * 10}", quantity="p", attributes=["Rtd", "SampleTime"])
            for n in range(900)
        ),
    ]
    station = Station("T1", MN, "44", "831027", tuple(more))
    with pytest.raises(PacketError, match="too-many-packets"):
        Windows(Mapping({"T1": station}, 2)).encode(table_of(columns), 0, one, QN_MS, resent=False)


@given(st.binary(max_size=300))
def test_the_check_value_is_the_plain_one(data: bytes) -> None:
    assert hj212.crc(data) == crc(data)


def test_what_is_out_of_bounds_is_refused() -> None:
    columns = columns_of(record.encode_window(1, record.Window(None, 900, 1, 900, 0, 65535, 90, [])))
    plan = hj212.Plan(MN, [(0, b"ST=32;", [(1, b"a1", 2, 10, [(b"-Rtd=", 3, False)])])])
    encoder = hj212.Encoder(flag=5, half_up=False, letters=b"NDBBD")
    records, slots = columns.records.rows, columns.slots.rows
    assert encoder.encode(records, slots, 0, 0, plan, 0, resent=False) == []
    for wrong in (-1, 1, 10**9):
        with pytest.raises(IndexError):
            encoder.encode(records, slots, wrong, 0, plan, 0, resent=False)
    with pytest.raises(ValueError, match="letter"):
        encoder.encode(records, slots, 0, 0, plan, 0, resent=False, marked=b"N")
    bad: list[Any] = [
        (0, b"a1", 2, 10, []),
        (33, b"a1", 2, 10, []),
        (1, b"a" * 17, 2, 10, []),
        (1, b"a1", 4, 10, []),
        (1, b"a1", 2, 0, []),
        (1, b"a1", 2, 1, [(b"-Rtd=", 20, False)]),
        (1, b"a1", 2, 1, [(b"x" * 13, 1, False)]),
        (1, b"a1", 2, 1, [(b"-Rtd=", 1, False)] * 7),
    ]
    for item in bad:
        with pytest.raises(ValueError, match="out of bounds"):
            hj212.Plan(MN, [(0, b"ST=32;", [item])])
    with pytest.raises(ValueError, match="flag"):
        hj212.Encoder(flag=10, half_up=False, letters=b"NDBBD")


def test_slots_of_another_batch_are_refused() -> None:
    full = columns_of(record.encode_window(1, record.Window(None, 900, 1, 900, 0, 65535, 90, [1, 2, 3])))
    plan = hj212.Plan(MN, [(0, b"ST=32;", [])])
    encoder = hj212.Encoder(flag=5, half_up=False, letters=b"NDBBD")
    with pytest.raises(IndexError):
        encoder.encode(full.records.rows, b"", 0, 0, plan, 0, resent=False)
