"""HJ 212 packets of windows of 9 points: cext, from the decoder's columns, against Python with a table CRC."""

import platform
import random
from collections.abc import Iterator
from itertools import count
from typing import Any

from cext.decoder import decode_payloads
from gateway.forward.hj212.encode import WindowContent, content_of, encode_window
from gateway.forward.hj212.mapping import QUANTITIES, ItemConfig, Mapping, Station
from gateway.forward.hj212.plan import Windows, table_of
from gateway.hj212.crc import crc
from gateway.hj212.packet import Packet
from gateway.hj212.times import data_time, qn_of
from gateway.journal.reader import Stored
from hil.benchmarks import realistic
from hil.benchmarks.result import Bar, Chart, Figure, Options, Result
from hil.benchmarks.timing import Samples, interleave
from protocol import cbor, record

POINTS = 9  # of a terminal, on average
WINDOWS = 64
QUANTITIES_OF_A_POINT = 14
PYTHON = f"Python {platform.python_version()}, table CRC"
STRICT = f"{PYTHON}, strict"
QN_MS = 1_772_324_100_000
NOTES = [
    f"Windows of {POINTS} three-phase points, {QUANTITIES_OF_A_POINT} codes a point: as many packets as it takes.",
    "All give the same bytes (checked before measuring). The peers are helped: their windows are decoded already.",
    "The lean peer checks nothing, knows one message, one rounding, no mark; the strict one is our own definition.",
]


def mapping_of(edition: int) -> Mapping:
    """A platform that wants everything of every point, as that edition has it."""
    wanted: dict[int, list[Any]] = {2: ["Rtd"], 1: ["Min", "Avg", "Max", "Cou"]}
    attributes = wanted[edition]
    items = tuple(
        ItemConfig(
            point=point,
            code=f"d{number:02d}{point:02d}",
            quantity=name,
            attributes=[one for one in attributes if one in quantity.fields],
            decimals=min(2, quantity.exponent),
        )
        for point in range(1, POINTS + 1)
        for number, (name, quantity) in enumerate(QUANTITIES.items())
        if any(one in quantity.fields for one in attributes)
    )
    return Mapping({"T1": Station("T1", "010000A8900016F000169DC0", "44", "831027", items)}, edition)


def measure(options: Options) -> Result:
    """See the module."""
    rnd = random.Random(options.seed)
    raws = [record.encode_window(n + 1, realistic.window(rnd, POINTS, n)) for n in range(WINDOWS)]
    head = [cbor.integer(number) for number in (1, 0, 0, 0)]
    columns = decode_payloads([cbor.array([*head, cbor.array([raw])]) for raw in raws])
    starts = columns.records.time_s.tolist()
    stored = [Stored(n + 1, "T1", 0, n + 1, record.WINDOW, start, 900, []) for n, start in enumerate(starts)]
    contents = [content_of(columns, row, start, []) for row, start in enumerate(starts)]
    figures: list[Figure] = []
    bars: list[Bar] = []
    for edition, year in ((1, 2017), (2, 2025)):
        mapping = mapping_of(edition)
        windows = Windows(mapping)

        def plain(mapping: Mapping = mapping) -> list[Packet]:
            numbers = count(QN_MS)
            return [p for one in contents for p in encode_window(mapping, "T1", one, lambda: qn_of(next(numbers)))]

        def compiled(windows: Windows = windows) -> list[Packet]:
            table, qn_ms, found = table_of(columns), QN_MS, list[Packet]()
            for row, one in enumerate(stored):
                found += windows.encode(table, row, one, qn_ms + len(found), resent=False)
            return found

        def lean(mapping: Mapping = mapping) -> list[Packet]:
            numbers = count(QN_MS)
            return [p for one in contents for p in lean_packets(mapping, one, numbers)]

        if not plain() == compiled() == lean():
            raise RuntimeError("the contenders do not agree about the packets")
        ns = interleave({"strict": plain, "lean": lean, "cext": compiled}, options.rounds, WINDOWS)
        ratio, strict = ns["lean"].over(ns["cext"]), ns["strict"].over(ns["cext"])
        figures += [
            _figure(f"hj212.{year}.ratio_python", ratio, "ratio", PYTHON, "at least 20"),
            _figure(f"hj212.{year}.ratio_python_strict", strict, "ratio", STRICT),
            _figure(f"hj212.{year}.window_ns", ns["cext"], "ns/window"),
            _figure(f"hj212.{year}.python_ns", ns["lean"], "ns/window", PYTHON),
            Figure(f"hj212.{year}.packets", len(compiled()) / WINDOWS, "packets/window", 0, ""),
        ]
        bars += [
            Bar(f"{STRICT}, {year}", ns["strict"].median / 1000),
            Bar(f"{PYTHON}, {year}", ns["lean"].median / 1000),
            Bar(f"cext, from columns, {year}", ns["cext"].median / 1000, ours=True),
        ]
    return Result(figures, [Chart("CPU time a window", "us", bars)], NOTES)


def _figure(name: str, samples: Samples, unit: str, peer: str = "", goal: str = "") -> Figure:
    digits = 2 if unit == "ratio" else None
    return Figure(name, round(samples.median, digits), unit, round(samples.spread, digits), peer, goal)


def lean_packets(mapping: Mapping, window: WindowContent, numbers: Iterator[int]) -> Iterator[Packet]:
    """The packets of a window as one would write them for speed in Python: one message, no check, half to even."""
    (station,) = mapping.stations.values()
    is_period = mapping.edition == 1
    when = f"DataTime={data_time(window.start_s if is_period else window.instant_s)}"
    texts = []
    for item in station.items:
        reading = window.points[item.point]
        quantity, code, decimals = QUANTITIES[item.quantity], item.code, item.decimals
        if isinstance(reading, str):
            continue
        pairs = [(name, reading[quantity.fields[name]]) for name in item.attributes]
        unit, one = 10 ** (quantity.exponent - decimals), 10**decimals
        shown = []
        for name, value in pairs:
            if value is None:
                continue
            scaled, rest = divmod(abs(value), unit)
            scaled += 2 * rest > unit or (2 * rest == unit and scaled & 1)
            whole, part = divmod(scaled, one)
            sign = "-" if value < 0 and scaled else ""
            shown.append(
                f"{code}-{name}={sign}{whole}.{part:0{decimals}d}" if decimals else f"{code}-{name}={sign}{whole}"
            )
        if shown:
            texts.append(f"{','.join(shown)},{code}-Flag={'N' if reading['run_s'] else 'F'}")
    flag = 7 if is_period else 11
    head = f"ST={station.st};CN={'2051' if is_period else '2011'};PW={station.pw};MN={station.mn};Flag={flag};PNUM="
    room = min(950, 1024 - (21 + len(head) + 1 + len(";PNO=9;CP=&&&&") + (0 if is_period else 5)))
    groups, used = [[when]], len(when)
    for text in texts:
        if used + len(text) + 1 > room:
            groups.append([when])
            used = len(when)
        groups[-1].append(text)
        used += len(text) + 1
    for number, group in enumerate(groups, start=1):
        qn = qn_of(next(numbers))
        data = f"QN={qn};{head}{len(groups)};PNO={number};CP=&&{';'.join(group)}&&".encode("ascii")
        yield Packet(qn, station.mn, b"##%04d%s%04X\r\n" % (len(data), data, crc(data)))
