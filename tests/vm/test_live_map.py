# The registers of live values, and the Modbus server that gives them away. Runs on both interpreters.
import struct

from terminal import live_map, modbus_slave
from terminal.modbus import crc16

from protocol import mailbox

VALUES = {
    "p_w": -12345,
    "q_var": None,
    "ua_dv": 2301,
    "ia_ma": 1234567,
    "pf_milli": -987,
    "e_import_wh": 1 << 40,
}


def made() -> live_map.LiveMap:
    head = (7, 3600500, 1790000000, 3, 2, 41)
    return live_map.LiveMap([1, 3], lambda: head, lambda: {1: (3590500, VALUES)})


def registers(first: int, count: int) -> bytes:
    return made().read(first, count)


def test_the_head_says_what_this_is() -> None:
    # P-98
    found = struct.unpack(">HHHHIIIHHI", registers(0, 14)[:28])
    assert found == (0x574C, 1, 2, 64, 7, 3600, 1790000000, 3, 2, 41)


def test_a_points_values_as_floats_and_integers() -> None:
    # P-98
    at = live_map.POINTS_AT
    assert struct.unpack(">HH", registers(at, 2)) == (live_map.SAMPLED, 10)
    assert registers(at + 2, 2) == struct.pack(">f", -12345.0)
    assert registers(at + 4, 2) == b"\x7f\xc0\x00\x00", "not a number: the meter does not offer it"
    assert registers(at + 6, 2) == struct.pack(">f", 230.1)
    assert registers(at + 12, 2) == struct.pack(">f", 1234.567)
    assert struct.unpack(">i", registers(at + 28, 2)) == (-12345,)
    assert struct.unpack(">i", registers(at + 30, 2)) == (-0x80000000,)
    assert struct.unpack(">Q", registers(at + 46, 4)) == (1 << 40,)
    assert struct.unpack(">Q", registers(at + 50, 4)) == (0xFFFFFFFFFFFFFFFF,)
    assert struct.unpack(">H", registers(at + 63, 1)) == (1,)


def test_points_without_a_sample_and_points_that_are_none() -> None:
    at = live_map.POINTS_AT + 2 * live_map.POINT_COUNT
    assert struct.unpack(">HH", registers(at, 2)) == (live_map.NO_SAMPLE, 0xFFFF)
    assert struct.unpack(">HH", registers(at - live_map.POINT_COUNT, 2)) == (live_map.NO_POINT, 0xFFFF)


def test_any_part_is_what_the_whole_says() -> None:
    # P-98: whatever a SCADA asks for in one read
    whole = bytearray(2 * live_map.END)
    for at in range(live_map.END):
        whole[2 * at : 2 * at + 2] = registers(at, 1)
    for first in (0, 1, 19, 20, 50, 99, 100, 101, 150, 163, 164, 228, live_map.END - 125):
        for count in (1, 2, 3, 64, 65, 124, 125):
            if first + count <= live_map.END:
                assert registers(first, count) == whole[2 * first : 2 * (first + count)], (first, count)
    for first, count in ((live_map.END, 1), (live_map.END - 1, 2), (0x7FFF, 1)):
        try:
            registers(first, count)
        except mailbox.AddressError:
            continue
        raise AssertionError((first, count))


def test_floats_are_the_nearest_singles_without_a_float() -> None:
    # P-98: ties to even; a board's own floats would round at each step
    cases = ((0, 10), (1, 10), (-1, 10), (16777217, 1), (16777219, 1), (33554431, 1), (2147483647, 1000), (1, 1000))
    want = ("00000000", "3dcccccd", "bdcccccd", "4b800000", "4b800002", "4c000000", "4a03126f", "3a83126f")
    for (number, scale), text in zip(cases, want):  # noqa: B905  not on MicroPython
        assert live_map.float32(number, scale) == bytes.fromhex(text), number


def slave(unit: int = 5) -> modbus_slave.Slave:
    def refuse(address: int, _data: bytes) -> None:
        raise mailbox.AddressError(address)

    return modbus_slave.Slave(unit, made().read, refuse)


def test_requests_that_are_wrong_have_their_exception() -> None:
    cases = (
        (b"\x03\x00\x00\x00\x00", b"\x83\x03"),
        (b"\x03\x00\x00\x00\x7e", b"\x83\x03"),
        (b"\x03\x7f\xff\x00\x01", b"\x83\x02"),
        (b"\x04\x00\x00\x00", b"\x84\x03"),
        (b"\x06\x00\x00\x00\x01", b"\x86\x01"),
        (b"\x10\x00\x00\x00\x01\x02\x00\x00", b"\x90\x02"),
        (b"\x10\x00\x00\x00\x01\x03\x00\x00\x00", b"\x90\x03"),
        (b"\x2b\x0e\x01\x00", b"\xab\x01"),
        (b"\x03", b"\x83\x03"),
    )
    for pdu, answer in cases:
        assert slave().answer(pdu) == answer, pdu
    assert slave().answer(b"\x04\x00\x00\x00\x01") == b"\x04\x02\x57\x4c"


def test_tcp_answers_this_unit_and_whoever_is_meant_by_0_and_255() -> None:
    head = b"\x12\x34\x00\x00\x00\x06"
    for unit, answers in ((5, True), (0, True), (255, True), (6, False)):
        got = slave().answer_tcp(head + bytes((unit,)), b"\x03\x00\x00\x00\x01")
        assert got == (b"\x12\x34\x00\x00\x00\x05" + bytes((unit,)) + b"\x03\x02\x57\x4c" if answers else b"")
    assert modbus_slave.pdu_bytes(b"\0\0\0\0\0\x06\x01") == 5
    for header in (b"\0\0\0\1\0\x06\x01", b"\0\0\0\0\0\x01\x01", b"\0\0\0\0\xff\x06\x01"):
        assert modbus_slave.pdu_bytes(header) == 0


def framed(body: bytes) -> bytes:
    crc = crc16(body, 0, len(body))
    return body + bytes((crc & 0xFF, crc >> 8))


def test_a_request_is_found_in_pieces_behind_noise_and_other_units() -> None:
    request = framed(b"\x05\x03\x00\x00\x00\x01")
    for before in (
        b"",
        b"\x00\xff",
        framed(b"\x06\x03\x02\x00\x01"),
        framed(b"\x06\x03\x00\x00\x00\x01"),
        b"\x05" * 40,
    ):
        line = modbus_slave.Line(slave())
        for octet in before:
            assert line.feed(bytes((octet,))) == b""
        for octet in request[:-1]:
            assert line.feed(bytes((octet,))) == b""
        assert line.feed(request[-1:]) == framed(b"\x05\x03\x02\x57\x4c"), before


def test_requests_to_others_and_damaged_ones_are_not_answered() -> None:
    line = modbus_slave.Line(slave())
    damaged = framed(b"\x05\x03\x00\x00\x00\x01")[:-1] + b"\x00"
    for data in (framed(b"\x06\x03\x00\x00\x00\x01"), damaged, b"\x05" * 2000):
        assert line.feed(data) == b""
    line.forget()
    assert line.feed(framed(b"\x05\x03\x00\x00\x00\x01"))
