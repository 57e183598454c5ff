"""The log on the real VM, on LittleFS in a file, under power cuts: the short campaign; the long one is `make powercut`.

A failure prints the id that replays it: `wattline hil powercut --replay ID`.
"""

import os
import random
import time
from pathlib import Path

import pytest

from hil.powercut import campaign
from hil.powercut.machine import Bases, Machine, play
from hil.powercut.plan import KINDS, Cut, Start, fillings, starts, trial_of, trials
from hil.powercut.witness import Witness, WitnessError

SEED = int(os.environ.get("WATTLINE_SEED", time.time_ns())) % 100_000
FULL_EVERY = 6
UPDATE_EVERY = 6
SHOWN = f"seed {SEED} (replay: WATTLINE_SEED={SEED})"


def said(outcome: campaign.Outcome) -> str:
    return "\n".join(f"wattline hil powercut --replay {one.id}: {one.what}" for one in outcome.failures)


def test_some_power_cuts() -> None:
    """R-01: a few operations of each kind of work: what one runs between edits."""
    outcome = campaign.run(20, SEED)
    assert not outcome.failures, said(outcome)
    assert len(outcome.operations) == len(KINDS)


@pytest.mark.slow
def test_power_cuts_at_operations_all_over() -> None:
    """R-01, R-05, P-80, S-08: every fourth operation or so of each kind of work, on either VM, torn in every way and
    out of order: it mounts, nothing that append returned for is lost, nothing is invented, what a full log drops was
    told, what is moved to another epoch is there once, no number and no start is used twice.
    """
    outcome = campaign.run(300, SEED)
    assert not outcome.failures, said(outcome)
    assert outcome.trials >= 300
    assert outcome.cuts > outcome.trials, "some are cut again in the start that follows"


@pytest.mark.slow
def test_a_power_cut_at_every_single_operation_of_one_start(tmp_path: Path) -> None:
    """R-01: from the erased flash on."""
    bases, start = Bases(tmp_path), Start("first", 64, SEED)
    every = list(trials(start, bases.operations(start)))
    first = [trial.cuts[0] for trial in every]
    assert {cut.operation for cut in first if isinstance(cut, Cut)} == set(range(1, len(every) + 1))
    for trial in every:
        failure = campaign.failure_of(bases, trial, tmp_path / "trial.img")
        assert failure is None, f"wattline hil powercut --replay {failure.id}: {failure.what}"


@pytest.mark.slow
def test_a_power_cut_at_any_operation_of_an_update_leaves_one_application_whole(tmp_path: Path) -> None:
    """R-23: every sixth operation or so of a release that comes, is read back, and is taken, and of its trial: the
    board begins one of the two applications, byte for byte, and can be updated again.
    """
    bases, start = Bases(tmp_path), Start("update", (64, 32)[SEED % 2], SEED)
    every = list(trials(start, bases.operations(start)))[SEED % UPDATE_EVERY :: UPDATE_EVERY]
    assert len(every) >= 6
    for trial in every:
        failure = campaign.failure_of(bases, trial, tmp_path / "trial.img")
        assert failure is None, f"wattline hil powercut --replay {failure.id}: {failure.what}"


@pytest.mark.slow
def test_a_file_system_that_gets_full_before_any_step_loses_nothing(tmp_path: Path) -> None:
    """P-181: somebody else's file takes the room, and is there at the next start too: what append returned for is there
    or was told as dropped; what it refused is refused, and when there is room again the log goes on.
    """
    bases, refused = Bases(tmp_path), 0
    for start in starts(SEED):
        for trial in list(fillings(start))[SEED % FULL_EVERY :: FULL_EVERY]:
            try:
                witness = play(bases, trial, tmp_path / "trial.img")
                refused += witness.refused if isinstance(witness, Witness) else 0
            except WitnessError as error:
                pytest.fail(f"wattline hil powercut --replay {trial}: {error}")
    assert refused, "some find no room"


@pytest.mark.parametrize("vm", [64, 32])
def test_killed_at_any_moment_again_and_again(tmp_path: Path, vm: int) -> None:
    """R-01: kill -9 in the middle of whatever it does, 30 times on one flash; freeing, moving, and getting full."""
    choose = random.Random(SEED)
    machine = Machine(tmp_path / "flash.img", KINDS["tight"], vm, 0)
    for number in range(30):
        try:
            machine.work_until(choose.randrange(1, 40))
            machine.check()
        except WitnessError as error:
            pytest.fail(f"{SHOWN}, run {number}: {error}")
    assert isinstance(machine.witness, Witness)
    assert machine.witness.boot == 30
    assert machine.witness.state, SHOWN  # few, where the machine is busy: it is killed sooner


def test_a_cut_can_be_replayed_by_its_id(tmp_path: Path) -> None:
    """P-81: the same cut leaves the same bytes."""
    left = []
    for number in range(2):
        bases = Bases(tmp_path / str(number))
        (tmp_path / str(number)).mkdir()
        trial = trial_of("tight-64-7/150.50.16.1.150")
        machine = bases.of(trial.start).copy_to(tmp_path / f"{number}.img")
        assert machine.work(str(trial.cuts[0])) == 77
        left.append(machine.image.read_bytes())
    assert left[0] == left[1]
    assert campaign.replay(trial_of("tight-64-7/150.50.16.1.150")) is None
