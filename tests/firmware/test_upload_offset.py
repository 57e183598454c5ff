"""Terminals do not send their windows all at once: each some seconds later, always the same number of them."""

from collections import Counter

from terminal import uplink, uplink_task

from protocol import configuration


class Log:
    """Records are their numbers; none is acknowledged."""

    def __init__(self) -> None:
        self.next_seq = 1

    def previous_pending(self, before: int) -> int | None:
        seq = min(before, self.next_seq) - 1
        return seq if seq >= 1 else None

    def next_pending(self, after: int) -> int | None:
        return after + 1 if after + 1 < self.next_seq else None

    def read(self, seq: int) -> bytes:
        return bytes((seq,))

    def epoch_of(self, _seq: int) -> tuple[int, int, int]:
        return 1, 1, 1 << 30


def sent(made: uplink.Uplink) -> list[int]:
    """The numbers in the next frame; [] if nothing is to be sent."""
    found = made.compose(0, lambda: 1, 4096)
    return [] if found is None else [data[0] for data in found[1]]


def test_a_window_waits_and_an_event_takes_it_along() -> None:
    """P-92"""
    store = Log()
    made = uplink.Uplink(store, configuration.Uplink(10_000, 8, 8), bytes)
    made.connected(session_present=False)
    made.hold_next()
    store.next_seq = 2
    assert sent(made) == [], "its turn has not come"
    made.release()
    assert sent(made) == [1]
    made.hold_next()
    store.next_seq = 3
    assert sent(made) == []
    store.next_seq = 4  # an event
    assert sent(made) == [2, 3]


def test_the_offset_follows_from_the_name_and_spreads_a_province_over_a_minute() -> None:
    """P-92"""
    names = [f"T{number:05}" for number in range(7056)]
    seconds = Counter(uplink_task.offset_of(name) // 1000 for name in names)
    assert [uplink_task.offset_of(name) for name in names] == [uplink_task.offset_of(name) for name in names]
    assert set(seconds) == set(range(60))
    assert max(seconds.values()) < 2 * 7056 / 60
