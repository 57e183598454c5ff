"""Opens the target that a scenario names: what hil/target.py asks of each stands behind it."""

from contextlib import AbstractContextManager
from pathlib import Path

from hil.fault_kinds import KINDS
from hil.process import BenchError
from hil.scenario import Scenario
from hil.target import Target


def open_target(scenario: Scenario, folder: Path) -> AbstractContextManager[Target]:
    """The scenario's target, in a folder that is made anew. Whatever happens, leaving it ends all of it.

    Raises BenchError for a fault that this target can't play.
    """
    like = "unix" if scenario.target == "board" else scenario.target
    for what in {fault.what for fault in scenario.faults if like not in KINDS[fault.what].targets}:
        other = ", ".join(f"--target {name}" for name in sorted(KINDS[what].targets))
        raise BenchError(f"{what} can't be played on {scenario.target}; use / 请用: {other}")
    if scenario.updates and scenario.target == "board":
        raise BenchError("updates can't be played on board; use / 请用: --target sim, --target unix")
    if scenario.target == "sim":
        from hil.sim.target import open_sim  # noqa: PLC0415  one needs neither VM nor broker, the other no simulation

        return open_sim(scenario, folder)
    if scenario.target == "board":
        from hil.board.target import open_board  # noqa: PLC0415

        return open_board(scenario, folder)
    from hil.bench import Bench  # noqa: PLC0415

    return Bench(scenario, folder)
