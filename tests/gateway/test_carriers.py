"""Several intakes joined: each frame once, released and answered where it came from."""

from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.carriers import Carrier, Carriers
from gateway.intake import Delivery, Token


class Fake:
    """An intake that has what it is given; its waits pass at once, on its own clock."""

    def __init__(self, number: int, clock: list[float]) -> None:
        self.number = number
        self.clock = clock
        self.frames: list[Delivery] = []
        self.said: list[Any] = []
        self.open = True

    def start(self) -> None:
        self.said.append("start")

    def stop(self) -> None:
        self.said.append("stop")

    def take(self, count: int, idle_s: float, wait_s: float) -> list[Delivery]:
        del wait_s
        found, self.frames = self.frames[:count], self.frames[count:]
        if not found:
            self.clock[0] += idle_s
        return found

    def release(self, tokens: Iterable[Token]) -> None:
        self.said += tokens

    def publish_down(self, messages: Sequence[tuple[str, bytes]]) -> int:
        self.said += messages
        return len(messages) if self.open else 0

    @property
    def waiting(self) -> int:
        return len(self.frames)

    def give(self, terminal: str, number: int) -> None:
        self.frames.append(Delivery(terminal, "", b"", 0, (self.number, number)))


def joined(count: int = 2) -> tuple[Carriers, list[Fake], list[float]]:
    clock = [100.0]
    fakes = [Fake(number, clock) for number in range(count)]
    carriers: list[Carrier] = list(fakes)
    return Carriers(carriers, lambda: clock[0]), fakes, clock


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["T1", "T2"])), max_size=30), st.integers(1, 8))
def test_each_frame_is_taken_once_and_released_where_it_came_from(given_: list[tuple[int, str]], count: int) -> None:
    both, fakes, _ = joined(3)
    for number, (way, terminal) in enumerate(given_):
        fakes[way].give(terminal, number)
    assert both.waiting == len(given_)
    taken = []
    while batch := both.take(count, 0.5, 0.1):
        assert len(batch) <= count
        taken += batch
        both.release([one.token for one in batch])
    assert sorted(one.token[1] for one in taken) == list(range(len(given_)))
    assert [token for fake in fakes for token in fake.said] == [
        (fake.number, number) for fake in fakes for number, (way, _) in enumerate(given_) if way == fake.number
    ]


def test_an_ack_goes_the_way_its_frame_came_and_without_a_frame_every_way() -> None:
    both, (first, second), _ = joined()
    assert both.publish_down([("T1", b"a")]) == 1
    second.give("T1", 1)
    first.give("T2", 2)
    both.take(10, 0, 0)
    second.open = False
    assert both.publish_down([("T1", b"b"), ("T2", b"c")]) == 1
    assert first.said == [("T1", b"a"), ("T2", b"c")]
    assert second.said == [("T1", b"a"), ("T1", b"b")]


def test_it_waits_as_long_as_it_is_told_and_looks_at_all_meanwhile() -> None:
    both, (first, second), clock = joined()
    assert both.take(10, 0.2, 0.1) == []
    assert 0.2 <= clock[0] - 100 < 0.25
    second.give("T1", 1)
    assert len(both.take(10, 0.2, 0.1)) == 1
    assert clock[0] - 100 < 0.25
    assert both.take(10, 0, 0) == []
    both.start()
    both.stop()
    assert first.said == second.said == ["start", "stop"]
