# Time from a modem: what its answers say, and whom it may contradict. Runs on both interpreters.
import json

from terminal import clock, modem_time, rtc_memory

from protocol import record
from tests.vm import folders

NOW_S = 1790000000
BUILT_S = 1780000000
ANSWER = b'\r\n+CCLK: "26/09/21,%02d:%02d:20+32"\r\n\r\nOK\r\n'  # 22:13:20 is NOW_S


class Site:
    """A board with a modem, and a clock by it; all events are kept."""

    def __init__(self, answer: "bytes | None", rtc_s: "int | None" = None) -> None:
        self.answer = answer
        self.asked = 0
        self.uptime = 1000
        self.rtc = rtc_s
        self.events: list[list[int]] = []
        memory = rtc_memory.RtcMemory(folders.new_folder())
        if rtc_s is not None:
            memory.note(rtc_s, 1)
        self.clock = clock.Clock(self, 3, memory)
        self.clock.not_before(BUILT_S)
        self.modem = modem_time.ModemTime(
            self, self.clock, lambda _code, _point, values: self.events.append(values), print
        )

    def modem_time(self) -> "bytes | None":
        self.asked += 1
        return self.answer

    def uptime_ms(self) -> int:
        return self.uptime

    real_ms = uptime_ms

    def rtc_s(self) -> "int | None":
        return self.rtc

    def set_rtc_s(self, unix_s: int) -> None:
        self.rtc = unix_s

    def hold_rtc_s(self, _unix_s: int) -> None:
        self.rtc = None

    def random_bytes(self, count: int) -> bytes:
        return bytes(count)

    def now_s(self) -> "int | None":
        now_ms = self.clock.now_ms()
        return None if now_ms is None else now_ms // 1000


def answer(hour: int, minute: int) -> bytes:
    return ANSWER % (hour, minute)


def test_every_answer_of_the_vectors_is_read_or_refused() -> None:
    # P-179
    with open("tests/vectors/modem_time.json") as file:
        answers = json.load(file)["answers"]
    assert len(answers) > 20
    for one in answers:
        assert modem_time.parse(one["answer"].encode()) == one["unix_s"], one["id"]


def test_a_modem_sets_a_clock_that_nobody_set_within_a_minute() -> None:
    # P-179
    site = Site(answer(22, 13))
    site.modem.due()
    assert (site.now_s(), site.clock.source, site.clock.error_s()) == (NOW_S, record.CLOCK_SNTP, 60)
    assert site.events == [[0]]
    site.uptime += 3600000
    site.modem.due()
    assert site.asked == 1, "it has told all that it can"


def test_a_modem_that_differs_from_the_rtc_steps_the_clock_and_this_is_told() -> None:
    # P-179, R-16
    site = Site(answer(23, 13), NOW_S)
    assert site.clock.source == record.CLOCK_RTC
    site.modem.due()
    assert (site.now_s(), site.events) == (NOW_S + 3600, [[3600]])
    site = Site(answer(22, 13), NOW_S - 20)
    site.modem.due()
    assert (site.now_s(), site.events) == (NOW_S - 20, []), "confirmed: a minute is all that it knows"


def test_a_modem_without_a_network_is_asked_once_a_minute_and_not_believed() -> None:
    # P-179: below the clock's floor, or no answer
    site = Site(b'+CCLK: "04/01/01,00:00:12+00"')
    for _ in range(180):
        site.modem.due()
        site.uptime += 1000
    assert (site.now_s(), site.events, site.asked) == (None, [], 3)
    site.answer = None
    site.uptime += 60000
    site.modem.due()
    assert site.now_s() is None


def test_a_modem_contradicts_neither_sntp_nor_the_gateway_and_both_correct_it() -> None:
    # P-179, S-09
    site = Site(answer(23, 13))
    site.clock.heard_sntp(site.uptime, 1000 * NOW_S, 500)
    site.modem.due()
    assert (site.now_s(), site.asked) == (NOW_S, 0)
    site = Site(answer(23, 13))
    site.modem.due()
    assert site.now_s() == NOW_S + 3600
    assert site.clock.heard_sntp(site.uptime, 1000 * NOW_S, 500) == -3600
    assert site.now_s() == NOW_S
    site = Site(answer(23, 13))
    site.modem.due()
    assert site.clock.heard(1000 * NOW_S, (site.clock.boot_id, site.clock.stamp())) == -3600
    assert (site.now_s(), site.clock.source) == (NOW_S, record.CLOCK_GATEWAY)
