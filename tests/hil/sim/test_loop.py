"""The virtual loop: order, time, and tasks that die together."""

import asyncio
from typing import Any

import pytest

from hil.sim.loop import STEPS_MAX, Domain, PowerCutError, StuckError, VirtualLoop

S = 1_000_000


def test_time_jumps_to_the_next_timer_and_instants_are_exact() -> None:
    loop = VirtualLoop()
    seen: list[Any] = []

    async def sleeper(name: str, pause_s: float, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(pause_s)
            seen.append((name, loop.now_us))

    loop.create_task(sleeper("a", 86_400, 2))
    loop.create_task(sleeper("b", 0.1, 3))
    loop.run_until(3 * 86_400 * S)
    assert seen == [("b", 100_000), ("b", 200_000), ("b", 300_000), ("a", 86_400 * S), ("a", 2 * 86_400 * S)]
    assert loop.now_us == 3 * 86_400 * S
    loop.close()


def test_what_is_due_at_one_instant_runs_in_the_order_in_which_it_was_asked_for() -> None:
    loop = VirtualLoop()
    seen: list[Any] = []
    for name in "abc":
        loop.at_us(S, seen.append, name)
    loop.at_us(S, seen.append, "never").cancel()
    loop.call_soon(seen.append, "first")
    loop.run_until(2 * S)
    assert seen == ["first", "a", "b", "c"]
    loop.close()


def test_a_wait_that_ends_early_leaves_nothing_behind() -> None:
    loop = VirtualLoop()
    seen: list[Any] = []

    async def waiter() -> None:
        try:
            await asyncio.wait_for(asyncio.sleep(100), 0.5)
        except TimeoutError:
            seen.append(loop.now_us)

    loop.create_task(waiter())
    loop.run_until(200 * S)
    assert seen == [S // 2]
    loop.close()


def test_the_tasks_of_a_domain_die_together_with_those_that_they_made() -> None:
    loop = VirtualLoop()
    seen: list[Any] = []

    async def child(name: str) -> None:
        while True:
            await asyncio.sleep(1)
            seen.append(name)

    async def parent(name: str) -> None:
        await asyncio.gather(child(name + "1"), child(name + "2"))

    dying, living = Domain("dying"), Domain("living")
    loop.spawn(dying, parent("d"))
    loop.spawn(living, parent("l"))
    loop.run_until(S + S // 2)
    dying.kill()
    loop.run_until(3 * S + S // 2)
    assert seen == ["d1", "d2", "l1", "l2", *["l1", "l2"] * 2]
    assert not dying.tasks
    assert loop.fallen == []
    living.kill()
    loop.run_until(loop.now_us)
    loop.close()


def test_a_task_that_falls_is_told_unless_its_domain_was_dead() -> None:
    loop = VirtualLoop()

    async def fall(error: BaseException) -> None:
        await asyncio.sleep(1)
        raise error

    alive = Domain("alive")
    loop.spawn(alive, fall(ValueError("a fault of ours")))
    loop.spawn(alive, fall(PowerCutError("no power")))
    loop.run_until(2 * S)
    assert [str(one["exception"]) for one in loop.fallen] == ["a fault of ours"]
    loop.close()


def test_a_loop_that_spins_without_time_ends_with_what_spins() -> None:
    """P-191: nothing in a simulated run can hold it up for ever."""
    loop = VirtualLoop()

    def spin() -> None:
        loop.call_soon(spin)

    spin()
    with pytest.raises(StuckError, match=f"{STEPS_MAX} steps at 0 us, and time does not go on"):
        loop.run_until(S)
    loop.close()
