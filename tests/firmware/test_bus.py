"""The bus against everything that a shared pair of wires does: late, broken, foreign and missing answers."""

import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminal import bus, bus_protocol, dlt645, modbus, profile, profile_check

from firmware import DEVICE
from hil.meter_frames import framed_645, take_request
from protocol import record
from tests.firmware.virtual_bus import Answer, VirtualBoard, VirtualUart, finished

# Two reads of equal length that nothing in an answer tells apart: the worst map there can be.
TWINS = profile_check.parse(
    "twins",
    {
        "model": "M",
        "source": "S",
        "protocol": "modbus-rtu",
        "function": 3,
        "word_order": "high_first",
        "registers_per_read": 2,
        "readable": [["0x0000", "0x0001"], ["0x0010", "0x0011"]],
        "ratios_applied": True,
        "power_max_w": 1000,
        "quantities": {
            "p_w": {"register": "0x0000", "type": "u32", "scale": [1, 1]},
            "e_import_wh": {"register": "0x0010", "type": "u32", "scale": [1, 1]},
        },
    },
    "twins.json",
)
TIMEOUT_MS = 20
LINE = bus.Line(9600, "N", 1)


ITEMS = profile_check.parse(
    "items",
    {
        "model": "M",
        "source": "S",
        "protocol": "dlt645",
        "ratios_applied": True,
        "power_max_w": 1000,
        "quantities": {
            "p_w": {"item": "0x02030000", "type": "bcd4", "scale": [1, 1]},
            "e_import_wh": {"item": "0x00010000", "type": "bcd4", "scale": [1, 1]},
        },
    },
    "items.json",
)
SLOW = bus.Line(2400, "E", 1)


def framed(body: bytes) -> bytes:
    crc = modbus.crc16(body, 0, len(body))
    return body + bytes((crc & 0xFF, crc >> 8))


def answer_to(raw: bytes, number: int) -> bytes:
    """An answer to a read of two registers, or of an item of four bytes, which holds the request's number."""
    request = take_request(bytearray(raw))
    if request is None or request.protocol == "modbus-rtu":
        return framed(raw[:2] + bytes((4,)) + number.to_bytes(4, "big"))
    digits = bytes.fromhex(f"{number:08d}")[::-1]
    return framed_645(str(request.address), request.function | 0x80, request.body[:4] + digits)


def asked_for(raw: bytes) -> tuple[int | str, int]:
    """(address, first register or identifier) of a request."""
    request = take_request(bytearray(raw))
    assert request is not None
    if request.protocol == "modbus-rtu":
        return request.address, int.from_bytes(request.body[2:4], "big")
    return request.address, int.from_bytes(request.body[:4], "little")


class Wire:
    """Answers each request with its own number, as `disturb(rng, request, answer)` delivers it."""

    def __init__(self, seed: int, delay_max_ms: int) -> None:
        self.asked: dict[tuple[int | str, int], int] = {}  # number of the newest request for it
        self.count = 0
        self._rng = random.Random(seed)
        self._delay_max_ms = delay_max_ms

    def __call__(self, request: bytes) -> Answer:
        self.count += 1
        self.asked[asked_for(request)] = self.count
        rng = self._rng
        answer = answer_to(request, self.count)
        delay_ms = rng.randint(0, self._delay_max_ms)
        kind = rng.randrange(9)
        if kind == 0:
            return []
        if kind == 1:
            at = rng.randrange(len(answer))
            answer = answer[:at] + bytes((answer[at] ^ 1 << rng.randrange(8),)) + answer[at + 1 :]
        if kind == 2:
            cut = rng.randrange(1, len(answer))
            return [(delay_ms, answer[:cut]), (delay_ms + rng.randint(1, TIMEOUT_MS), answer[cut:])]
        if kind == 3:
            answer = refusal_of(request)
        before = {4: request, 5: rng.randbytes(rng.randint(1, 5)), 6: answer_to(bytes((9, 3)), 7)}.get(kind, b"")
        return [(delay_ms, before + answer)]


def refusal_of(raw: bytes) -> bytes:
    """The meter is busy."""
    request = take_request(bytearray(raw))
    assert request is not None
    if request.protocol == "modbus-rtu":
        return framed(bytes((raw[0], raw[1] | 0x80, 6)))
    return framed_645(str(request.address), request.function | 0xC0, b"\x01")


def attributed(polls: int, seed: int) -> tuple[int, int]:
    """(answers taken, wrong ones) of so many requests to meters of both protocols on one bus, with late answers."""
    board = VirtualBoard()
    wire = Wire(seed, 3 * TIMEOUT_MS)
    meters = [bus.Meter(unit, unit, TWINS, (1, 1), TIMEOUT_MS, LINE) for unit in (1, 2)]
    meters += [bus.Meter(f"20260301000{n}", n, ITEMS, (1, 1), TIMEOUT_MS, SLOW) for n in (3, 4)]
    one = bus.Bus(board, VirtualUart(board, wire), LINE, meters)
    taken = wrong = 0
    while wire.count < polls:
        for meter in meters:
            if one.wait_ms(meter):
                board.now_ms += 1
                continue
            values = finished(one.poll(meter))
            if isinstance(values, int):
                continue
            taken += 2
            places = {quantity.name: quantity.place for quantity in meter.profile.quantities[profile.MEASURED]}
            wrong += sum(value != wire.asked[meter.address, places[name]] for name, value in values.items())
    return taken, wrong


@given(st.integers())
def test_a_late_answer_is_never_taken_for_the_current_one(seed: int) -> None:
    """R-10: twin reads, every answer up to three timeouts late, broken, doubled by echoes, refused, or missing."""
    _, wrong = attributed(200, seed)
    assert wrong == 0


@pytest.mark.slow
def test_no_wrong_attribution_in_100_000_late_answers() -> None:
    """R-10"""
    taken, wrong = attributed(100_000, 20261124)
    assert wrong == 0
    assert taken > 10_000


ADDRESS: dict[str, int | str] = {"modbus-rtu": 1, "dlt645": "202603010001"}


def polled(answer: Answer, loaded: profile.Profile = TWINS) -> dict[str, int | None] | int:
    """One poll of a meter that answers its first request so, and each further one right."""
    board = VirtualBoard()
    asked = []

    def wire(request: bytes) -> Answer:
        asked.append(request)
        return answer if len(asked) == 1 else [(1, answer_to(request, 5))]

    one = bus.Bus(board, VirtualUart(board, wire), LINE, [])
    meter = bus.Meter(ADDRESS[loaded.protocol_name], 1, loaded, (1, 1), 300, LINE)
    values: dict[str, int | None] | int = finished(one.poll(meter))
    return values


Case = tuple[profile.Profile, bytes, dict[str, int]]
RIGHT = answer_to(bytes((1, 3)), 1234)
RIGHT_645 = answer_to(dlt645.read_request("202603010001", 0x00010000).raw, 1234)
# what the first request is for, and the two answers
CASES: list[Case] = [
    (TWINS, RIGHT, {"p_w": 1234, "e_import_wh": 5}),
    (ITEMS, RIGHT_645, {"p_w": 5, "e_import_wh": 1234}),
]


@given(st.sampled_from(CASES), st.binary(max_size=300))
def test_a_good_answer_is_found_behind_any_noise(case: Case, noise: bytes) -> None:
    """R-11"""
    loaded, right, values = case
    assert polled([(5, noise), (6, right)], loaded) == values


@given(st.sampled_from(CASES), st.lists(st.tuples(st.integers(0, 120), st.integers(1, 8)), min_size=1, max_size=4))
def test_an_answer_in_pieces_is_put_together(case: Case, cuts: list[tuple[int, int]]) -> None:
    """R-12: gaps of up to 120 ms within one answer."""
    loaded, rest, values = case
    pieces, at_ms = [], 5
    for gap_ms, size in cuts:
        pieces.append((at_ms, rest[:size]))
        at_ms, rest = at_ms + gap_ms, rest[size:]
    assert polled([*pieces, (at_ms, rest)], loaded) == values


@given(st.binary(max_size=600))
def test_noise_alone_gives_no_value(noise: bytes) -> None:
    """R-11"""
    request = modbus.read_request(1, 3, 0, 2)
    if modbus.scan(noise, request)[0] not in (bus_protocol.GOT, bus_protocol.EXCEPTION):  # by chance: 1 in 65,536
        assert isinstance(polled([(5, noise)]), int)
    assert isinstance(polled([(5, noise)], ITEMS), int)


def test_why_there_is_no_value() -> None:
    request = modbus.read_request(1, 3, 0, 2).raw
    assert polled([]) == record.NONE_SILENT
    assert polled([(2, request)]) == record.NONE_SILENT  # the echo alone
    assert polled([(2, answer_to(bytes((7, 3)), 1))]) == record.NONE_SILENT  # another unit alone
    assert polled([(2, RIGHT[:-1])]) == record.NONE_GARBLED
    assert polled([(2, RIGHT[:-1] + b"\x00")]) == record.NONE_GARBLED
    assert polled([(2, b"\x00")]) == record.NONE_GARBLED
    assert polled([(2, framed(b"\x01\x83\x02"))]) == record.NONE_EXCEPTION


def test_a_port_that_fails_is_a_silent_bus() -> None:
    class Broken:
        def read(self, _: int = 256) -> bytes | None:
            raise OSError(5)

    board = VirtualBoard()
    meter = bus.Meter(1, 1, TWINS, (1, 1), 300, LINE)
    assert finished(bus.Bus(board, Broken(), LINE, [meter]).poll(meter)) == record.NONE_SILENT


def test_noise_without_end_ends() -> None:
    board = VirtualBoard()

    class Babble(VirtualUart):
        def read(self, _: int = 256) -> bytes | None:
            self._board.now_ms += 1
            return b"\xff"

    meter = bus.Meter(1, 1, TWINS, (1, 1), 300, LINE)
    one = bus.Bus(board, Babble(board, lambda _: []), LINE, [meter])
    assert finished(one.poll(meter)) == record.NONE_GARBLED
    assert board.now_ms < 3000


def test_on_a_bus_of_noise_without_end_all_else_has_its_turn() -> None:
    """R-11: however fast bytes come, what was read of them is looked at, and then others run."""
    turns: list[int] = []

    class Counting(VirtualBoard):
        async def pause_ms(self, ms: int) -> None:
            turns.append(self.now_ms)
            await super().pause_ms(ms)

    class Babble(VirtualUart):
        reads = 0

        def read(self, _: int = 256) -> bytes | None:
            self.reads += 1
            return b"\xff"

    board = Counting()
    meter = bus.Meter(1, 1, TWINS, (1, 1), 50, LINE)
    uart = Babble(board, lambda _: [])
    assert finished(bus.Bus(board, uart, LINE, [meter]).poll(meter)) == record.NONE_GARBLED
    assert len(turns) >= uart.reads - bus._QUIET_ROUNDS - 1
    assert max(b - a for a, b in pairwise(turns)) == 1


def test_the_bus_is_quiet_between_frames_and_old_bytes_are_thrown_away() -> None:
    board = VirtualBoard()
    sent_ms = []

    def wire(request: bytes) -> Answer:
        sent_ms.append(board.now_ms)
        # after the answer, what looks like an answer to the next request
        return [(10, answer_to(request, len(sent_ms))), (12, answer_to(request, 99))]

    meter = bus.Meter(1, 1, TWINS, (1, 1), 300, LINE)
    one = bus.Bus(board, VirtualUart(board, wire), LINE, [meter])
    assert finished(one.poll(meter)) == {"p_w": 1, "e_import_wh": 2}
    assert sent_ms[1] - sent_ms[0] >= 12 + 4


@pytest.mark.parametrize("name", sorted(path.stem for path in (DEVICE / "profiles").glob("*.json")))
def test_nothing_that_goes_out_is_a_write(name: str) -> None:
    """S-18: over all profiles, plans and failures, the bus carries plain reads alone."""
    board = VirtualBoard()
    uart = VirtualUart(board, lambda _: [])  # it refuses anything else
    loaded = profile.load(name, str(DEVICE / "profiles"))
    meter = bus.Meter(ADDRESS[loaded.protocol_name], 1, loaded, (1, 1), 50, LINE)
    one = bus.Bus(board, uart, LINE, [meter])
    for what in (profile.MEASURED, profile.IDENTITY, profile.STATE):
        for _ in range(5):
            finished(one.read(meter, what))
            board.now_ms += 1000
    requests = [take_request(bytearray(raw)) for raw in uart.written]
    assert requests
    assert all(request is not None and request.reads for request in requests)


def test_the_line_is_switched_between_meters_and_left_quiet() -> None:
    """P-86"""
    board = VirtualBoard()
    sent: list[tuple[int, tuple[int, str, int] | None]] = []

    def wire(raw: bytes) -> Answer:
        sent.append((board.now_ms, uart.lines[-1] if uart.lines else None))
        return [(10, answer_to(raw, 1))]

    uart = VirtualUart(board, wire)
    fast = bus.Meter(1, 1, TWINS, (1, 1), 300, LINE)
    slow = bus.Meter("202603010001", 2, ITEMS, (1, 1), 300, SLOW)
    one = bus.Bus(board, uart, LINE, [fast, slow])
    for meter in (fast, slow, fast):
        assert isinstance(finished(one.poll(meter)), dict)
    assert [line for _, line in sent] == [None, None, SLOW, SLOW, LINE, LINE]
    waits_ms = [later - before - 10 for (before, _), (later, _) in pairwise(sent)]
    assert min(waits_ms) >= 17  # 3.5 characters at 2400 baud, which the slow meter needs to hear
    assert min(waits_ms[1], waits_ms[3]) >= 20


def refusing(identifiers: set[int]) -> Callable[[bytes], Answer]:
    """A DL/T 645 meter that has none of these items."""

    def wire(raw: bytes) -> Answer:
        if asked_for(raw)[1] in identifiers:
            return [(1, framed_645("202603010001", 0xD1, b"\x02"))]
        return [(1, answer_to(raw, 1234))]

    return wire


def test_what_a_meter_has_not_is_absent_and_asked_for_again_later() -> None:
    board = VirtualBoard()
    uart = VirtualUart(board, refusing({0x00020000, 0x00030000, 0x0206FF00}))
    meter = bus.Meter("202603010001", 1, profile.load("dlt645_3p", str(DEVICE / "profiles")), (1, 1), 300, SLOW)
    one = bus.Bus(board, uart, SLOW, [meter])
    values = finished(one.poll(meter))
    assert values["e_import_wh"] == 12340
    assert [values[name] for name in ("e_export_wh", "r_import_varh", "pf_milli")] == [None] * 3
    first = len(uart.written)
    finished(one.poll(meter))
    assert len(uart.written) - first == first - 3
    board.now_ms += bus.ABSENT_MS
    finished(one.poll(meter))
    assert len(uart.written) == 2 * first + first - 3


def test_a_refusal_for_another_reason_costs_what_was_asked_and_is_not_remembered() -> None:
    board = VirtualBoard()
    refused = [True]

    def wire(raw: bytes) -> Answer:
        if refused[0] and asked_for(raw)[1] == 0x0201FF00:
            return [(1, framed_645("202603010001", 0xD1, b"\x01"))]
        return [(1, answer_to(raw, 1234))]

    meter = bus.Meter("202603010001", 1, profile.load("dlt645_3p", str(DEVICE / "profiles")), (1, 1), 300, SLOW)
    one = bus.Bus(board, VirtualUart(board, wire), SLOW, [meter])
    assert finished(one.poll(meter))["ua_dv"] is None
    refused[0] = False
    assert finished(one.poll(meter))["ua_dv"] == 1234


def test_a_meter_without_what_is_needed_is_refused_as_a_whole() -> None:
    for identifier in (0x00010000, 0x0203FF00):
        board = VirtualBoard()
        uart = VirtualUart(board, refusing({identifier}))
        meter = bus.Meter("202603010001", 1, profile.load("dlt645_3p", str(DEVICE / "profiles")), (1, 1), 300, SLOW)
        assert finished(bus.Bus(board, uart, SLOW, [meter]).poll(meter)) == record.NONE_EXCEPTION


def told_in_parts(parts: int) -> dict[str, int | None] | int:
    """One poll of a meter that tells each item in so many frames."""
    board = VirtualBoard()

    def wire(raw: bytes) -> Answer:
        request = take_request(bytearray(raw))
        assert request is not None
        number = request.body[4] if len(request.body) > 4 else 0
        control = request.function | (0xA0 if number + 1 < parts else 0x80)
        data = bytes.fromhex("34120000")[4 * number // parts : 4 * (number + 1) // parts]
        return [(1, framed_645(str(request.address), control, request.body[:4] + data + request.body[4:5]))]

    meter = bus.Meter("202603010001", 1, ITEMS, (1, 1), 300, SLOW)
    values: dict[str, int | None] | int = finished(bus.Bus(board, VirtualUart(board, wire), SLOW, [meter]).poll(meter))
    return values


def test_an_answer_of_several_frames_is_put_together_and_one_without_end_is_none() -> None:
    """P-86"""
    for parts in (1, 2, 3, 4):
        assert told_in_parts(parts) == {"p_w": 1234, "e_import_wh": 1234}
    assert told_in_parts(5) == record.NONE_GARBLED
    assert told_in_parts(1000) == record.NONE_GARBLED


def test_circuits_of_one_meter_wait_for_each_others_late_answers() -> None:
    """R-10: two circuits have reads of one length from one unit."""
    board = VirtualBoard()
    loaded = profile.load("dtsd422", str(DEVICE / "profiles"))
    meters = [bus.Meter(1, circuit, loaded, (1, 1), 100, LINE, circuit) for circuit in (1, 2)]
    one = bus.Bus(board, VirtualUart(board, lambda _: []), LINE, meters)
    assert finished(one.poll(meters[0])) == record.NONE_SILENT
    assert one.wait_ms(meters[1]) == one.wait_ms(meters[0]) == 300
    assert one.reason(meters[1]) == record.NONE_SILENT
