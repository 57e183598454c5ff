# The modem is never power-cycled more often in a day than it bears, restarts or not. Runs on both interpreters.
import os

from terminal import link_budget

DAY_MS = 86400000


def path() -> str:
    name = f"/tmp/wattline_link_budget_{id(object())}"  # noqa: S108  MicroPython has no tempfile
    try:
        os.remove(name)
    except OSError:
        return name
    return name


def test_a_day_of_failing_takes_28_at_most() -> None:
    # P-91: 4 at once, then one an hour
    budget = link_budget.LinkBudget(path())
    taken = [ms for ms in range(0, DAY_MS, 60000) if budget.take(ms)]
    assert taken[:4] == [0, 60000, 120000, 180000]
    assert len(taken) <= 28
    assert all(after - before >= 3000000 for before, after in zip(taken[4:], taken[5:]))  # noqa: B905, RUF007


def test_restarts_do_not_fill_it() -> None:
    # P-91: a terminal that restarts every ten minutes never gets an hour of uptime
    name = path()
    taken = 0
    for _ in range(144):
        budget = link_budget.LinkBudget(name)
        taken += sum(budget.take(ms) for ms in range(0, 600000, 60000))
    assert taken == 4


def test_it_grows_to_its_bound_and_no_further() -> None:
    budget = link_budget.LinkBudget(path())
    assert [budget.take(0) for _ in range(6)] == [True] * 4 + [False] * 2
    assert [budget.take(10 * DAY_MS) for _ in range(6)] == [True] * 4 + [False] * 2
