"""The bus against everything that a shared pair of wires does: late, broken, foreign and missing answers."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminal import bus, modbus, profile

from firmware import DEVICE
from protocol import record
from tests.firmware.virtual_bus import Answer, VirtualBoard, VirtualUart, finished

# Two reads of equal length that nothing in an answer tells apart: the worst map there can be.
TWINS = profile.parse(
    "twins",
    {
        "model": "M",
        "source": "S",
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


def framed(body: bytes) -> bytes:
    crc = modbus.crc16(body, 0, len(body))
    return body + bytes((crc & 0xFF, crc >> 8))


def answer_to(request: bytes, number: int) -> bytes:
    """An answer to a read of two registers, which holds the request's number."""
    return framed(request[:2] + bytes((4,)) + number.to_bytes(4, "big"))


class Wire:
    """Answers each request with its own number, as `disturb(rng, request, answer)` delivers it."""

    def __init__(self, seed: int, delay_max_ms: int) -> None:
        self.asked: dict[tuple[int, int], int] = {}  # (unit, first register): number of the newest request
        self.count = 0
        self._rng = random.Random(seed)
        self._delay_max_ms = delay_max_ms

    def __call__(self, request: bytes) -> Answer:
        self.count += 1
        self.asked[request[0], int.from_bytes(request[2:4], "big")] = self.count
        rng = self._rng
        answer = answer_to(request, self.count)
        delay_ms = rng.randint(0, self._delay_max_ms)
        kind = rng.randrange(8)
        if kind == 0:
            return []
        if kind == 1:
            at = rng.randrange(len(answer))
            answer = answer[:at] + bytes((answer[at] ^ 1 << rng.randrange(8),)) + answer[at + 1 :]
        if kind == 2:
            cut = rng.randrange(1, len(answer))
            return [(delay_ms, answer[:cut]), (delay_ms + rng.randint(1, TIMEOUT_MS), answer[cut:])]
        before = {3: request, 4: rng.randbytes(rng.randint(1, 5)), 5: answer_to(bytes((9, 3)), 7)}.get(kind, b"")
        return [(delay_ms, before + answer)]


def attributed(polls: int, seed: int) -> tuple[int, int]:
    """(answers taken, wrong ones) of so many polls of two units with late answers."""
    board = VirtualBoard()
    wire = Wire(seed, 3 * TIMEOUT_MS)
    meters = [bus.Meter(unit, unit, TWINS, (1, 1), TIMEOUT_MS) for unit in (1, 2)]
    one = bus.Bus(board, VirtualUart(board, wire), 115200, meters)
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
            wrong += values["p_w"] != wire.asked[meter.address, 0x00]
            wrong += values["e_import_wh"] != wire.asked[meter.address, 0x10]
    return taken, wrong


@given(st.integers())
def test_a_late_answer_is_never_taken_for_the_current_one(seed: int) -> None:
    """R-10: twin reads, every answer up to three timeouts late, broken, doubled by echoes, or missing."""
    _, wrong = attributed(200, seed)
    assert wrong == 0


@pytest.mark.slow
def test_no_wrong_attribution_in_100_000_late_answers() -> None:
    """R-10"""
    taken, wrong = attributed(100_000, 20261124)
    assert wrong == 0
    assert taken > 10_000


def polled(answer: Answer, loaded: profile.Profile = TWINS) -> dict[str, int | None] | int:
    """One poll of a meter that answers its first request so, and each further one right."""
    board = VirtualBoard()
    asked = []

    def wire(request: bytes) -> Answer:
        asked.append(request)
        return answer if len(asked) == 1 else [(1, answer_to(request, 5))]

    one = bus.Bus(board, VirtualUart(board, wire), 9600, [])
    values: dict[str, int | None] | int = finished(one.poll(bus.Meter(1, 1, loaded, (1, 1), 300)))
    return values


RIGHT = answer_to(bytes((1, 3)), 1234)


@given(st.binary(max_size=300))
def test_a_good_answer_is_found_behind_any_noise(noise: bytes) -> None:
    """R-11"""
    assert polled([(5, noise), (6, RIGHT)]) == {"p_w": 1234, "e_import_wh": 5}


@given(st.lists(st.tuples(st.integers(0, 120), st.integers(1, 8)), min_size=1, max_size=4))
def test_an_answer_in_pieces_is_put_together(cuts: list[tuple[int, int]]) -> None:
    """R-12: gaps of up to 120 ms within one answer."""
    pieces, at_ms, rest = [], 5, RIGHT
    for gap_ms, size in cuts:
        pieces.append((at_ms, rest[:size]))
        at_ms, rest = at_ms + gap_ms, rest[size:]
    assert polled([*pieces, (at_ms, rest)]) == {"p_w": 1234, "e_import_wh": 5}


@given(st.binary(max_size=600))
def test_noise_alone_gives_no_value(noise: bytes) -> None:
    """R-11"""
    request = modbus.read_request(1, 3, 0, 2)
    if modbus.scan(noise, request)[0] not in (modbus.GOT, modbus.EXCEPTION):  # a right CRC by chance: 1 in 65,536
        assert isinstance(polled([(5, noise)]), int)


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
    meter = bus.Meter(1, 1, TWINS, (1, 1), 300)
    assert finished(bus.Bus(board, Broken(), 9600, [meter]).poll(meter)) == record.NONE_SILENT


def test_noise_without_end_ends() -> None:
    board = VirtualBoard()

    class Babble(VirtualUart):
        def read(self, _: int = 256) -> bytes | None:
            self._board.now_ms += 1
            return b"\xff"

    meter = bus.Meter(1, 1, TWINS, (1, 1), 300)
    one = bus.Bus(board, Babble(board, lambda _: []), 9600, [meter])
    assert finished(one.poll(meter)) == record.NONE_GARBLED
    assert board.now_ms < 3000


def test_the_bus_is_quiet_between_frames_and_old_bytes_are_thrown_away() -> None:
    board = VirtualBoard()
    sent_ms = []

    def wire(request: bytes) -> Answer:
        sent_ms.append(board.now_ms)
        # after the answer, what looks like an answer to the next request
        return [(10, answer_to(request, len(sent_ms))), (12, answer_to(request, 99))]

    meter = bus.Meter(1, 1, TWINS, (1, 1), 300)
    one = bus.Bus(board, VirtualUart(board, wire), 9600, [meter])
    assert finished(one.poll(meter)) == {"p_w": 1, "e_import_wh": 2}
    assert sent_ms[1] - sent_ms[0] >= 12 + 4


def test_nothing_that_goes_out_is_a_write() -> None:
    """S-18: over profiles and failures, the bus carries functions 3 and 4 alone."""
    for name in ("dtsu666", "sdm630"):
        board = VirtualBoard()
        uart = VirtualUart(board, lambda _: [])
        meter = bus.Meter(1, 1, profile.load(name, str(DEVICE / "profiles")), (1, 1), 50)
        one = bus.Bus(board, uart, 9600, [meter])
        for _ in range(20):
            finished(one.poll(meter))
            board.now_ms += 1000
        assert {data[1] for data in uart.written} <= {3, 4}
