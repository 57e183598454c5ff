"""The clock is set by 15 minutes, an hour, a day, 18 years, forth and back, while windows are made: nothing is lost,
nothing stands where it was not, and each step is told. The terminal's own parts, in virtual time.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from terminal import answers, clock, recorder, window

from protocol import ack, mac, record
from tests.vm.one_key import OneKey

KEY = mac.Key(bytes(range(32)), 1)
NAME = "T0001"
START_S = 1_790_000_000
INTERVAL_S = 20
ACK_EVERY_S = 60
STEPS_S = [900, 3600, 86_400, 18 * 365 * 86_400]


class Terminal:
    """`offset_s`: how wrong the gateway's clock is."""

    def __init__(self, *, rtc: bool) -> None:
        self.uptime = 0
        self.offset_s = 0
        self.records: list[record.Record] = []
        self.records_refused = 0
        self._rtc_s = START_S if rtc else None
        self.clock = clock.Clock(self, 4, self)
        self.recorder = recorder.Recorder(self.clock, lambda *_: None)
        self.recorder.attach(self._append, lambda: None)
        self.answers = answers.Answers(
            (NAME, OneKey(KEY)), self.clock, self, self, self.recorder, (self, self, self), lambda *_: None
        )
        point = window.Point(1, 0, 1000, 1000, [0, 0, 0, 0])
        self.windows = window.Aggregator([point], INTERVAL_S, 4, self._now())

    # what the clock, the recorder and the answers take it for

    def uptime_ms(self) -> int:
        return self.uptime

    def rtc_s(self) -> int | None:
        return self._rtc_s

    def set_rtc_s(self, _unix_s: int) -> None:
        return

    def error_ms(self, _rtc_s: int) -> int:
        return 1000

    def note(self, _unix_s: int, _error_s: int) -> None:
        return

    def random_bytes(self, count: int) -> bytes:
        return bytes(count)

    def _append(self, encode) -> None:  # type: ignore[no-untyped-def]
        self.records.append(record.decode_record(encode(len(self.records) + 1)))

    def knows(self, _epoch: int) -> bool:
        return True

    def acknowledged(self, *_: object) -> None:
        return

    def heard(self) -> None:
        return

    # its life

    def _now(self) -> window.Instant:
        now = self.clock
        return window.Instant(self.uptime, now.unix_ms(self.uptime), now.source, now.error_s())

    def live(self, seconds: int) -> None:
        """Sample, close windows, and hear the gateway once a minute."""
        for _ in range(seconds // INTERVAL_S):
            self.uptime += 1000 * INTERVAL_S
            for ended in self.windows.tick(self._now()):
                self.recorder.window(ended)
            self.windows.sample(1, self.uptime, {"p_w": 100})
            if self.uptime % (1000 * ACK_EVERY_S) == 0:
                self._hear()

    def _hear(self) -> None:
        echo = (self.clock.boot_id, self.clock.stamp())
        self.uptime += 100
        time_ms = 1000 * (START_S + self.offset_s) + self.uptime - 50
        assert self.answers.take(ack.seal_ack(KEY, NAME, 1, [], [], time_ms, echo), 0)
        self.uptime -= 100


def windows_of(made: Terminal) -> list[record.Window]:
    return [one.body for one in made.records if one.type == record.WINDOW]


def steps_told(made: Terminal) -> list[int]:
    found = [one.body for one in made.records if one.type == record.EVENT and one.body.code == record.CLOCK_SET]
    return [one.values[0] for one in found]


STEP = st.tuples(st.integers(1, 60), st.sampled_from(STEPS_S), st.sampled_from([1, -1]))


@settings(max_examples=30)  # each is hours of samples
@given(steps=st.lists(STEP, min_size=1, max_size=5), rtc=st.booleans())
def test_nothing_is_lost_or_misplaced_and_each_step_is_told(steps: list[tuple[int, int, int]], rtc: bool) -> None:
    """R-16: windows follow each other without a hole, each placed by a clock that was told while it was open."""
    made = Terminal(rtc=rtc)
    offsets = [(0, 0)]  # (uptime s from which on, how wrong the gateway's clock was)
    made.live(1200)
    want = [] if rtc else [0]
    for minutes, step_s, sign in steps:
        made.offset_s += sign * step_s
        if not 0 < START_S + made.offset_s < 1 << 32:
            made.offset_s -= sign * step_s
            continue
        offsets.append((made.uptime // 1000, made.offset_s))
        want.append(sign * step_s)
        made.live(60 * minutes)
    made.live(1800)
    assert [abs(told - step) <= 1 for told, step in zip(steps_told(made), want, strict=True)] == [True] * len(want)
    until_s = 0
    for number, one in enumerate(windows_of(made)):
        begun_s = one.end_uptime_s - one.length_s
        assert number == 0 or abs(begun_s - until_s) <= 1, "no hole, no overlap"
        until_s = one.end_uptime_s
        if one.start_s is not None:
            told_s = one.start_s + one.length_s - START_S - one.end_uptime_s
            near = 2 * ACK_EVERY_S  # the gateway is heard once a minute, and the step seen at the next sample
            open_then = [
                offset
                for (from_s, offset), (to_s, _) in zip(offsets, [*offsets[1:], (1 << 40, 0)], strict=True)
                if from_s <= one.end_uptime_s and to_s + near >= begun_s
            ]
            assert any(abs(told_s - offset) <= 11 for offset in open_then), (one, offsets)
    assert made.uptime // 1000 - until_s <= 900, "up to now"
    assert any(one.start_s is None for one in windows_of(made)) == (not rtc), "before the first set by uptime alone"
