# Modbus RTU reads: worked bytes of the meters' manuals, and streams as a bus delivers them. Runs on both interpreters.
from terminal import bus_protocol, modbus

UA_UC = bytes.fromhex("01030c45099000450960004509c0007703".replace(" ", ""))


def scan(data: "bytes | bytearray", request: modbus.Request) -> "tuple[int, bytes | int | None, int]":
    return modbus.scan(data, request)


def voltages() -> modbus.Request:
    return modbus.read_request(1, 3, 0x2006, 6)


def test_requests_are_those_of_the_manuals() -> None:
    for unit, function, first, count, expected in (
        (1, 3, 0x2006, 6, "0103200600062E09"),
        (1, 3, 0x2012, 2, "0103201200026FCE"),
        (1, 3, 0x101E, 2, "0103101E0002A0CD"),
        (1, 3, 0x0006, 2, "010300060002240A"),
        (1, 3, 0x2000, 0x46, "010320000046CFF8"),
        (1, 3, 0x0061, 6, "0103006100069416"),
        (1, 3, 0x0064, 1, "010300640001C5D5"),
        (1, 3, 0x008D, 2, "0103008D00025420"),
        (1, 3, 0x016A, 2, "0103016A0002E5EB"),
        (1, 3, 0x000A, 2, "0103000A0002E409"),
        (1, 3, 0x081A, 2, "0103081A0002E7AC"),
        (1, 3, 0x0842, 2, "010308420002667F"),
        (1, 3, 0x0024, 2, "0103002400028400"),
        (1, 3, 0x003E, 2, "0103003E0002A5C7"),
        (1, 3, 0x0BD3, 6, "01030BD300063615"),
        (1, 3, 0x0BF3, 2, "01030BF30002361C"),
        (1, 3, 0x0C83, 4, "01030C830004B6B1"),
        (1, 3, 0x2000, 0x16, "010320000016CFC4"),
        (1, 4, 0x0000, 6, "0104000000067008"),
        (1, 4, 0x0034, 2, "0104003400023005"),
        (1, 4, 0x0048, 2, "010400480002F1DD"),
    ):
        assert modbus.read_request(unit, function, first, count).raw == bytes.fromhex(expected)


def test_nothing_but_a_plain_read_can_be_asked_for() -> None:
    # S-18
    for arguments in (
        (1, 5, 0, 1),
        (1, 6, 0, 1),
        (1, 15, 0, 1),
        (1, 16, 0, 1),
        (1, 22, 0, 1),
        (1, 23, 0, 1),
        (0, 3, 0, 1),
        (248, 3, 0, 1),
        (1, 3, 0, 0),
        (1, 3, 0, 126),
        (1, 3, 0xFFFF, 2),
        (1, 3, -1, 1),
    ):
        try:
            modbus.read_request(*arguments)
        except ValueError:
            continue
        raise AssertionError(arguments)


def test_worked_answers_are_got() -> None:
    for function, first, count, answer, payload in (
        (3, 0x2006, 6, "01030C45099000450960004509C0007703", "45099000450960004509C000"),
        (3, 0x2012, 2, "0103044702B0003A87", "4702B000"),
        (3, 0x101E, 2, "010304449A51ECF2F1", "449A51EC"),
        (3, 0x0006, 2, "010304002800" + "0AFA3C", "0028000A"),
        (3, 0x0061, 6, "01030C08990896089C020001FD02086B9A", "08990896089C020001FD0208"),
        (3, 0x008D, 2, "010304000100" + "28ABED", "00010028"),
        (3, 0x016A, 2, "010304FFFFFCBCBAA6", "FFFFFCBC"),
        (3, 0x000A, 2, "0103040001E240E2A3", "0001E240"),
        (3, 0x081A, 2, "0103044205C28FEE8E", "4205C28F"),
        (3, 0x0842, 2, "010304000789002C62", "00078900"),
        (3, 0x0BD3, 6, "01030C435C199A435BCCCD435C666647E6", "435C199A435BCCCD435C6666"),
        (3, 0x0BF3, 2, "01030440561E4F47B7", "40561E4F"),
        (3, 0x0C83, 4, "010308000000000012D6806A12", "000000000012D680"),
        (4, 0x0000, 6, "01040C435C199A435BCCCD435C66664121", "435C199A435BCCCD435C6666"),
        (4, 0x0034, 2, "0104044551199A34A2", "4551199A"),
        (4, 0x0048, 2, "010404449A51ECF346", "449A51EC"),
    ):
        request = modbus.read_request(1, function, first, count)
        assert scan(bytes.fromhex(answer), request) == (bus_protocol.GOT, bytes.fromhex(payload), 0)


def test_a_worked_exception_is_an_exception() -> None:
    assert scan(bytes.fromhex("018302C0F1"), voltages()) == (bus_protocol.EXCEPTION, 2, 0)


def test_every_beginning_of_an_answer_is_incomplete() -> None:
    request = voltages()
    for end in range(len(UA_UC)):
        assert scan(UA_UC[:end], request)[0] == bus_protocol.INCOMPLETE, end
    assert scan(UA_UC, request)[0] == bus_protocol.GOT


def test_nothing_is_incomplete_and_explains_itself() -> None:
    assert scan(b"", voltages()) == (bus_protocol.INCOMPLETE, None, 0)


def test_any_single_bit_change_is_not_an_answer() -> None:
    request = voltages()
    for bit in range(8 * len(UA_UC)):
        data = bytearray(UA_UC)
        data[bit >> 3] ^= 1 << (bit & 7)
        verdict = scan(data, request)[0]
        assert verdict in (bus_protocol.GARBLED, bus_protocol.INCOMPLETE), bit


def test_an_answer_is_found_behind_whatever_stands_before_it() -> None:
    #
    request = voltages()
    other_unit = bytes.fromhex("0203044702B000")
    crc = modbus.crc16(other_unit, 0, len(other_unit))
    other_unit += bytes((crc & 0xFF, crc >> 8))
    damaged = bytes([UA_UC[0], UA_UC[1], UA_UC[2], 0xFF]) + UA_UC[4:]
    for before in (b"\x00", b"\x01\x03", b"\x01\x03\x0c", request.raw, damaged, other_unit, damaged + request.raw):
        verdict, value, _ = scan(before + UA_UC, request)
        assert verdict == bus_protocol.GOT, before
        assert value == UA_UC[3:-2]


def test_what_explains_itself_is_no_noise() -> None:
    request = voltages()
    assert scan(request.raw, request) == (bus_protocol.INCOMPLETE, None, 0)
    assert scan(b"\xff" + request.raw, request)[2] == 1


def test_another_reads_answer_is_not_taken() -> None:
    #
    request = voltages()
    power = bytes.fromhex("0103044702B0003A87")
    assert scan(power, request) == (bus_protocol.INCOMPLETE, None, 0)
    assert scan(UA_UC, modbus.read_request(2, 3, 0x2006, 6))[0] != bus_protocol.GOT
    assert scan(UA_UC, modbus.read_request(1, 4, 0x2006, 6))[0] != bus_protocol.GOT
    assert scan(UA_UC, modbus.read_request(1, 3, 0x2006, 5))[0] != bus_protocol.GOT


def test_an_intact_foreign_frame_hides_what_looks_like_an_answer_inside() -> None:
    #
    inner = bytes.fromhex("0103044702B0003A87")
    body = bytes((9, 3, 10)) + inner + b"\x00"
    crc = modbus.crc16(body, 0, len(body))
    outer = body + bytes((crc & 0xFF, crc >> 8))
    request = modbus.read_request(1, 3, 0x2012, 2)
    assert scan(outer, request) == (bus_protocol.INCOMPLETE, None, 0)
    assert scan(inner, request)[0] == bus_protocol.GOT
