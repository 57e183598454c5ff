"""Tasks that fail begin anew, tasks that show no life lead to a new start with its cause: in virtual time."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import pytest
from terminal import supervisor


@pytest.fixture(autouse=True)
def _ticks_as_on_a_board(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulation, once imported, has the supervisor look more seldom."""
    monkeypatch.setattr(supervisor, "_TICK_MS", 1000)


class Reset(Exception):  # noqa: N818  (no error)
    """What a board's reset is to the program: the end."""


class Board:
    """Its time moves by pauses alone."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.fed_ms: list[int] = []
        self.causes: list[tuple[int, int]] = []

    def real_ms(self) -> int:
        return self.now_ms

    async def pause_ms(self, ms: int) -> None:
        until_ms = self.now_ms + ms
        while self.now_ms < until_ms:
            await asyncio.sleep(0)
            self.now_ms = max(self.now_ms, min(until_ms, self.now_ms + 10))

    def watchdog(self, timeout_ms: int) -> Callable[[], None]:
        assert timeout_ms == 30000
        return lambda: self.fed_ms.append(self.now_ms)

    def reset(self, cause: int, detail: int = 0) -> None:
        self.causes.append((cause, detail))
        raise Reset


def run(
    board: Board,
    tasks: dict[str, Callable[[], Awaitable[None]]],
    alive: Callable[[], int],
    on_tick: Callable[[], None] = lambda: None,
) -> list[str]:
    said: list[str] = []
    made = supervisor.Supervisor(board, lambda *parts: said.append(" ".join(map(str, parts))), on_tick)
    for name, task in tasks.items():
        made.add(name, task, 100_000, alive)
    with pytest.raises(Reset):
        asyncio.run(made.run())
    return said


def ends_after(board: Board, ms: int) -> Callable[[], None]:
    def tick() -> None:
        if board.now_ms >= ms:
            raise Reset

    return tick


def test_a_task_that_fails_begins_anew_after_growing_pauses_and_the_others_go_on() -> None:
    """P-94"""
    board = Board()
    begun: list[int] = []
    turns = 0

    async def fails() -> None:
        begun.append(board.now_ms)
        raise OSError("no such port")

    async def works() -> None:
        nonlocal turns
        while True:
            turns += 1
            await board.pause_ms(1000)

    run(board, {"fails": fails, "works": works}, board.real_ms, ends_after(board, 400_000))
    gaps = [(after - before) // 1000 for before, after in itertools.pairwise(begun)]
    assert gaps[:7] == [1, 2, 4, 8, 16, 32, 60]
    assert set(gaps[7:]) == {60}
    assert turns >= 300
    assert board.causes == []


def test_a_task_that_shows_no_life_leads_to_a_new_start_that_knows_which() -> None:
    """P-94: within its own worst case and a minute; it is not enough that the others live."""
    board = Board()

    async def hangs() -> None:
        await asyncio.Event().wait()

    async def works() -> None:
        while True:
            await board.pause_ms(1000)

    said: list[str] = []
    made = supervisor.Supervisor(board, lambda *parts: said.append(" ".join(map(str, parts))), lambda: None)
    made.add("works", works, 100_000, board.real_ms)
    made.add("hangs", hangs, 100_000, lambda: 0)
    with pytest.raises(Reset):
        asyncio.run(made.run())
    assert board.causes == [(supervisor.CAUSE_WEDGED, 2)]
    assert 100_000 < board.now_ms < 175_000
    assert "hangs shows no sign of life" in said[-1]


def test_a_task_without_memory_leads_to_a_new_start_at_once() -> None:
    board = Board()

    async def grows() -> None:
        raise MemoryError

    run(board, {"grows": grows}, board.real_ms)
    assert board.causes == [(supervisor.CAUSE_MEMORY, 1)]


def test_a_task_that_fails_again_and_again_is_no_wedged_one() -> None:
    """Its port is not there: that is no reason to start anew."""
    board = Board()

    async def fails() -> None:
        raise OSError("no such port")

    run(board, {"fails": fails}, lambda: 0, ends_after(board, 3_600_000))
    assert board.causes == []


def test_the_watchdog_is_fed_each_second_and_by_the_supervisor_alone() -> None:
    """P-94: when the supervisor hangs, so does everything, and the hardware ends it."""
    board = Board()

    async def works() -> None:
        while True:
            await board.pause_ms(10)

    run(board, {"works": works}, board.real_ms, ends_after(board, 60_000))
    assert all(after - before <= 1100 for before, after in itertools.pairwise(board.fed_ms))
    assert len(board.fed_ms) >= 50
