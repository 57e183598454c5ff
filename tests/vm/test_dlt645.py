# DL/T 645-2007 reads: worked bytes, parser traps, and streams as a bus delivers them. Runs on both interpreters.
from terminal import dlt645
from terminal.bus_protocol import EXCEPTION, GARBLED, GOT, INCOMPLETE, MORE, NO_SUCH_DATA, Read

METER = "202603010012"
FORWARD = 0x00010000
ENERGY = bytes.fromhex("68120001032620689108333334 33AB89674572 16".replace(" ", ""))


def raw(text: str) -> bytes:
    return bytes.fromhex(text.replace(" ", ""))


def frame(address: str, control: int, data: bytes) -> bytes:
    # A frame whose data are given without the +33.
    digits = bytes([int(address[at : at + 2], 16) for at in range(10, -1, -2)])
    head = b"\x68" + digits + bytes((0x68, control, len(data))) + bytes([(byte + 0x33) & 0xFF for byte in data])
    return head + bytes((sum(head) & 0xFF, 0x16))


def asked(identifier: int = FORWARD, part: int = 0) -> dlt645.Request:
    return dlt645.read_request(METER, identifier, part)


def test_requests_are_the_worked_ones() -> None:
    for identifier, expected in (
        (0x00010000, "FE FE FE FE 68 12 00 01 03 26 20 68 11 04 33 33 34 33 0E 16"),
        (0x0201FF00, "FE FE FE FE 68 12 00 01 03 26 20 68 11 04 33 32 34 35 0F 16"),
        (0x0202FF00, "FE FE FE FE 68 12 00 01 03 26 20 68 11 04 33 32 35 35 10 16"),
        (0x0203FF00, "FE FE FE FE 68 12 00 01 03 26 20 68 11 04 33 32 36 35 11 16"),
        (0x0206FF00, "FE FE FE FE 68 12 00 01 03 26 20 68 11 04 33 32 39 35 14 16"),
        (0x02800002, "FE FE FE FE 68 12 00 01 03 26 20 68 11 04 35 33 B3 35 91 16"),
        (0x03110001, "FE FE FE FE 68 12 00 01 03 26 20 68 11 04 34 33 44 36 22 16"),
    ):
        assert asked(identifier).raw == raw(expected)
        assert dlt645.request(METER, Read(dlt645.READ_DATA, identifier, 0)).raw == raw(expected)
    second = raw("FE FE FE FE 68 12 00 01 03 26 20 68 12 05 34 40 63 36 34 84 16")
    assert asked(0x03300D01, 1).raw == second
    assert dlt645.following(asked(0x03300D01), 1).raw == second


def test_nothing_but_a_plain_read_of_one_meter_can_be_asked_for() -> None:
    # S-18
    for function in range(256):
        if function == dlt645.READ_DATA:
            continue
        try:
            dlt645.request(METER, Read(function, FORWARD, 0))
        except ValueError:
            continue
        raise AssertionError(function)
    for address in (
        "AAAAAAAAAAAA",
        "999999999999",
        "AA1234567890",
        "20260301001",
        "2026030100122",
        "20260301001x",
        5,
        None,
    ):
        try:
            dlt645.read_request(address, FORWARD)  # type: ignore[arg-type]
        except ValueError:
            continue
        raise AssertionError(address)
    for identifier, part in ((-1, 0), (1 << 32, 0), (0, -1), (0, 256)):
        try:
            asked(identifier, part)
        except ValueError:
            continue
        raise AssertionError(identifier)


def test_worked_answers_are_got() -> None:
    for identifier, answer, data in (
        (0x00010000, "68 12 00 01 03 26 20 68 91 08 33 33 34 33 AB 89 67 45 72 16", "78563412"),
        (0x0201FF00, "68 12 00 01 03 26 20 68 91 0A 33 32 34 35 34 55 CB 54 37 55 C9 16", "012298210422"),
        (
            0x0202FF00,
            "68 12 00 01 03 26 20 68 91 0D 33 32 35 35 56 84 33 BA 83 33 34 85 B3 82 16",
            "235100 875000 015280",
        ),
        (
            0x0203FF00,
            "68 12 00 01 03 26 20 68 91 10 33 32 36 35 89 67 36 33 45 34 89 43 34 33 45 34 1B 16",
            "563403 001201 561001 001201",
        ),
        (0x02030000, "68 12 00 01 03 26 20 68 91 07 33 33 36 35 89 67 B6 3B 16", "563483"),
        (0x0206FF00, "68 12 00 01 03 26 20 68 91 0C 33 32 39 35 B8 3C C3 3C B3 3C B8 BC F2 16", "8509900980098589"),
        (0x02800002, "68 12 00 01 03 26 20 68 91 06 35 33 B3 35 CB 7C 5A 16", "9849"),
        (0x04000504, "68 12 00 01 03 26 20 68 91 06 37 38 33 37 34 33 03 16", "0100"),
        (0x02010100, "68 12 00 01 03 26 20 68 91 06 33 34 34 35 68 55 50 16", "3522"),  # BCD 35 is sent as 68
    ):
        assert dlt645.scan(raw(answer), asked(identifier)) == (GOT, raw(data), 0)
        assert dlt645.scan(raw("FE FE FE FE" + answer), asked(identifier)) == (GOT, raw(data), 0)


def test_answers_captured_by_others_are_got() -> None:
    for address, identifier, answer, data in (
        ("020247020276", 0x00010000, "68 76 02 02 47 02 02 68 91 08 33 33 34 33 35 33 33 33 C9 16", "02000000"),
        ("000000000161", 0x00010000, "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16", "26000000"),
        ("000000000161", 0x02010100, "68 61 01 00 00 00 00 68 91 06 33 34 34 35 34 43 10 16", "0110"),
        # an end mark in the address, a check sum of 16, one of FE: all inside of frames
        ("202603010016", 0x00010000, "68 16 00 01 03 26 20 68 91 08 33 33 34 33 33 34 33 33 63 16", "00010000"),
        ("202603010012", 0x00010000, "68 12 00 01 03 26 20 68 91 08 33 33 34 33 CB 53 33 33 16 16", "98200000"),
        ("202603010012", 0x00010000, "68 12 00 01 03 26 20 68 91 08 33 33 34 33 CC 3A 33 33 FE 16", "99070000"),
    ):
        assert dlt645.scan(raw(answer), dlt645.read_request(address, identifier)) == (GOT, raw(data), 0), answer


def test_refusals() -> None:
    assert dlt645.scan(raw("68 12 00 01 03 26 20 68 D1 01 35 33 16"), asked()) == (EXCEPTION, NO_SUCH_DATA, 0)
    assert dlt645.scan(frame(METER, 0xD1, b"\x01"), asked()) == (EXCEPTION, 1, 0)
    assert dlt645.scan(frame(METER, 0xD1, b"\x04"), asked()) == (EXCEPTION, 4, 0)
    assert dlt645.scan(frame(METER, 0xD2, b"\x02"), asked(FORWARD, 1)) == (EXCEPTION, NO_SUCH_DATA, 0)
    for other in (frame(METER, 0xD1, b""), frame(METER, 0xD1, b"\x02\x02"), frame("202603010013", 0xD1, b"\x02")):
        assert dlt645.scan(other, asked()) == (INCOMPLETE, None, 0)


def test_an_answer_of_several_frames_says_so() -> None:
    first = frame(METER, 0xB1, raw("00000100 1122"))
    second = frame(METER, 0xB2, raw("00000100 3344 01"))
    third = frame(METER, 0x92, raw("00000100 55 02"))
    assert dlt645.scan(first, asked()) == (MORE, raw("1122"), 0)
    assert dlt645.scan(second, asked(FORWARD, 1)) == (MORE, raw("3344"), 0)
    assert dlt645.scan(third, asked(FORWARD, 2)) == (GOT, raw("55"), 0)
    assert dlt645.scan(second, asked(FORWARD, 2)) == (INCOMPLETE, None, 0)  # another part
    assert dlt645.scan(first, asked(FORWARD, 1)) == (INCOMPLETE, None, 0)
    assert dlt645.scan(second, asked()) == (INCOMPLETE, None, 0)


def test_every_beginning_of_an_answer_is_incomplete() -> None:
    for end in range(len(ENERGY)):
        assert dlt645.scan(ENERGY[:end], asked())[0] == INCOMPLETE, end
    assert dlt645.scan(b"\xfe\xfe", asked()) == (INCOMPLETE, None, 0)


def test_any_single_bit_change_is_not_an_answer() -> None:
    for bit in range(8 * len(ENERGY)):
        data = bytearray(ENERGY)
        data[bit >> 3] ^= 1 << (bit & 7)
        assert dlt645.scan(data, asked())[0] in (GARBLED, INCOMPLETE), bit


def test_an_answer_is_found_behind_whatever_stands_before_it() -> None:
    #
    damaged = ENERGY[:12] + b"\x00" + ENERGY[13:]
    other_meter = frame("202603010013", 0x91, raw("00000100 99999999"))
    other_item = frame(METER, 0x91, raw("00000200 99999999"))
    for before in (
        b"\x00",
        b"\x68",
        b"\x68" + b"\x00" * 6 + b"\x68",
        b"\x68" + b"\x00" * 6 + b"\x68\x91\xff",  # claims more than a frame may have
        b"\x68" + b"\x00" * 6 + b"\x68\x91\xc8",  # claims 200 bytes
        ENERGY[:-1],
        damaged,
        asked().raw,  # an echo
        other_meter,
        other_item,
        damaged + asked().raw + other_meter + b"\xfe\xfe",
    ):
        verdict, value, _ = dlt645.scan(before + ENERGY, asked())
        assert (verdict, value) == (GOT, raw("78563412")), before


def test_what_explains_itself_is_no_noise() -> None:
    for explained in (asked().raw, frame("202603010013", 0x91, raw("00000100 99999999")), b"\xfe" * 9):
        assert dlt645.scan(explained, asked()) == (INCOMPLETE, None, 0)
    assert dlt645.scan(b"\x00" + asked().raw, asked())[2] == 1


def test_only_the_answer_to_this_read_is_taken() -> None:
    #
    for other in (
        frame("202603010013", 0x91, raw("00000100 78563412")),  # another meter
        frame(METER, 0x91, raw("00000200 78563412")),  # another identifier
        frame(METER, 0x92, raw("00000100 78563412 01")),  # a following part
        frame(METER, 0x11, raw("00000100")),  # a request
        frame(METER, 0x11, raw("00000100 78563412")),
        frame(METER, 0x94, raw("00000100 78563412")),
        frame(METER, 0x91, raw("000001")),
    ):
        assert dlt645.scan(other, asked()) == (INCOMPLETE, None, 0), other


def test_an_intact_foreign_frame_hides_what_looks_like_an_answer_inside() -> None:
    #
    inside = bytes([(byte - 0x33) & 0xFF for byte in ENERGY])
    outer = frame("202603010013", 0x91, raw("00000100") + inside)
    assert ENERGY in outer
    assert dlt645.scan(outer, asked()) == (INCOMPLETE, None, 0)
