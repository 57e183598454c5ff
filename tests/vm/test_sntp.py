# SNTP's packets: what an answer is worth, and which are refused. Runs on both interpreters.
import struct

from terminal import sntp

STAMP = b"\x01\x23\x45\x67\x89\xab\xcd\xef"
NOW_MS = 1790000000123
UNIX_S = 2208988800


def stamped(unix_ms: int) -> bytes:
    """A timestamp, of whichever era; rounded up so that it reads back as the same ms."""
    seconds, ms = divmod(unix_ms + 1000 * UNIX_S, 1000)
    return struct.pack(">II", seconds & 0xFFFFFFFF, ((ms << 32) + 999) // 1000)


def answer(received_ms: int, sent_ms: int, first: int = 0x24, stratum: int = 2, **other: bytes) -> bytes:
    return (
        bytes((first, stratum, 6, 0xEC))
        + other.get("delay", struct.pack(">I", 0x0800))
        + other.get("dispersion", struct.pack(">I", 0x0400))
        + other.get("reference", b"\x0a\x00\x00\x01")
        + bytes(8)
        + other.get("origin", STAMP)
        + (stamped(received_ms) if received_ms else bytes(8))
        + (stamped(sent_ms) if sent_ms else bytes(8))
    )


def refused(data: bytes, trip_ms: int = 20, stamp: bytes = STAMP) -> "sntp.SntpError":
    try:
        found = sntp.read(data, stamp, trip_ms)
    except sntp.SntpError as error:
        return error
    raise AssertionError(found)


def draws(seed: int, count: int):  # type: ignore[no-untyped-def]
    """The same numbers of 31 bits on every interpreter."""
    state = seed
    for _ in range(count):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        yield state ^ (state >> 11)


def test_a_request_is_a_client_of_version_4_and_tells_nothing_but_the_stamp() -> None:
    data = sntp.request(STAMP)
    assert data == bytes((0x23,)) + bytes(39) + STAMP
    assert len(data) == sntp.PACKET_BYTES


def test_the_true_time_is_within_the_bound_however_the_way_is_divided() -> None:
    # S-09, P-165
    for seed in range(1, 200):
        out, held, back, far, base = list(draws(seed, 5))
        out_ms, held_ms, back_ms = out % 3000, held % 400, back % 3000
        asked_ms = NOW_MS + base
        off_ms = far % 140  # the server's own error: no more than what it says
        delay = struct.pack(">I", 0x4000)
        received_ms = asked_ms + out_ms + off_ms
        data = answer(received_ms, received_ms + held_ms, delay=delay)
        trip_ms = out_ms + held_ms + back_ms
        found = sntp.read(data, STAMP, trip_ms)
        assert abs(found.time_ms - (asked_ms + trip_ms)) <= found.error_ms - sntp.FLOOR_MS + 1, seed
        assert found.error_ms >= sntp.FLOOR_MS + 125 + 15 + (trip_ms - held_ms) // 2


def test_the_era_rolls_over_in_2036() -> None:
    # P-165
    roll_ms = 2085978496000  # 2036-02-07 06:28:16
    for at_ms in (roll_ms - 10, roll_ms - 1, roll_ms + 1, roll_ms + 5, roll_ms + 10**11, 4000000000000):
        found = sntp.read(answer(at_ms, at_ms + 3), STAMP, 23)
        assert found.time_ms == at_ms + 3 + 10, at_ms


def test_what_echoes_no_request_is_another_s_and_not_even_its_kiss_counts() -> None:
    # S-09, P-165
    for origin in (bytes(8), STAMP[1:] + STAMP[:1], STAMP[:7] + b"\x00"):
        for data in (answer(NOW_MS, NOW_MS, origin=origin), answer(0, 0, 0xE4, 0, origin=origin, reference=b"DENY")):
            error = refused(data)
            assert (error.ours, error.kiss) == (False, "")
    for count in range(sntp.PACKET_BYTES):
        assert not refused(answer(NOW_MS, NOW_MS)[:count]).ours


def test_an_answer_that_is_not_sane_is_refused_with_its_reason() -> None:
    # P-165
    good = answer(NOW_MS, NOW_MS)
    assert sntp.read(good + bytes(20), STAMP, 20).time_ms == NOW_MS + 10, "behind it is room for extensions"
    second = struct.pack(">I", 0x10000)
    negative = struct.pack(">i", -1)
    for data, word in (
        (answer(NOW_MS, NOW_MS, 0xE4), "does not know"),
        (answer(NOW_MS, NOW_MS, 0x23), "mode 3"),
        (answer(NOW_MS, NOW_MS, 0x25), "mode 5"),
        (answer(NOW_MS, NOW_MS, 0x24, 16), "stratum 16"),
        (answer(NOW_MS, NOW_MS, 0x24, 255), "stratum 255"),
        (answer(NOW_MS, NOW_MS, delay=second), "root delay 1000"),
        (answer(NOW_MS, NOW_MS, delay=negative), "root delay"),
        (answer(NOW_MS, NOW_MS, dispersion=second), "dispersion 1000"),
        (answer(NOW_MS, 0), "missing"),
        (answer(0, NOW_MS), "missing"),
        (answer(NOW_MS, NOW_MS - 1), "held for -1"),
        (answer(NOW_MS, NOW_MS + 23), "held for 23"),
    ):
        error = refused(data)
        assert error.ours
        assert word in str(error), error


def test_a_kiss_of_death_is_told() -> None:
    # P-165
    for code in ("DENY", "RSTR", "RATE", "INIT"):
        error = refused(answer(0, 0, 0xE4, 0, reference=code.encode()))
        assert (error.ours, error.kiss) == (True, code)
    assert refused(answer(0, 0, 0xE4, 0, reference=b"\x00\x01\xfe\xff")).kiss == ""


def test_any_bytes_are_an_answer_or_refused() -> None:
    # P-165
    good = answer(NOW_MS, NOW_MS)
    for seed in range(1, 100):
        data = bytearray(good)
        for number in draws(seed, 3):
            data[number % len(data)] = number >> 8 & 0xFF
        try:
            found = sntp.read(bytes(data), STAMP, 20)
        except sntp.SntpError:
            continue
        assert bytes(data[24:32]) == STAMP, seed
        assert found.error_ms >= sntp.FLOOR_MS, seed
