"""The judge of power cuts can condemn, and its ids can be read. The cuts: tests/firmware/test_power_cuts.py."""

import json

import pytest
from typer.testing import CliRunner

from hil.cli import app
from hil.powercut import campaign
from hil.powercut.plan import KINDS, TEARS, BadIdError, Cut, Start, Trial, starts, trial_of, trials
from hil.powercut.witness import Witness, WitnessError

SAID = "B 1\nE 7\nA 1 1-1\nA 2 1-2\nA 3 1-3\nF 2 2\nf 2 2\n"


def dump(*records: tuple[int, str | None], following: int = 9, boot: int = 1, **head: int) -> str:
    lines: list[dict[str, object]] = [{"epoch": 7, "next": following, "damaged": 0, "boot": boot, **head}]
    lines += [{"seq": seq, "epoch": 7, "name": name} for seq, name in records]
    return "\n".join(json.dumps(line) for line in lines)


def witness(said: str = SAID) -> Witness:
    one = Witness()
    one.hear(1, said)
    return one


@pytest.mark.parametrize(
    ("said", "dumped", "what"),
    [
        (SAID, dump((1, "1-1")), "1-3 is lost"),
        (SAID, dump((1, "1-1"), (2, "1-2"), (3, "1-3")), "1-2 was freed and is back"),
        (SAID, dump((1, "1-1"), (3, "1-3"), (4, "1-3")), "1-3 is there 2 times"),
        (SAID, dump((1, "1-1"), (3, "1-3"), (4, "1-5")), "1-5 was never appended"),
        (SAID, dump((1, "1-1"), (3, None)), "record 3 is not what was written"),
        (SAID, dump((1, "1-3"), (3, "1-1")), "number 1 is used twice"),
        (SAID, dump((1, "1-1"), (3, "1-3"), following=3), "would be used again"),
        (SAID, dump((1, "1-1"), (3, "1-3"), boot=0), "start 1 is forgotten"),
        (SAID, dump((1, "1-1"), (3, "1-3"), damaged=1), "no damage"),
        (SAID, "Traceback", "does not open"),
    ],
)
def test_what_does_not_hold_is_found(said: str, dumped: str, what: str) -> None:
    """P-81"""
    with pytest.raises(WitnessError, match=what):
        witness(said).check(dumped)


def test_what_may_be_after_a_cut_may_be() -> None:
    witness().check(dump((1, "1-1"), (3, "1-3")))
    witness().check(dump((1, "1-1"), (3, "1-3"), (4, "1-4")))  # cut before append returned
    for records in ([(1, "1-1")], [(1, "1-1"), (3, "1-3")]):
        witness(SAID + "F 3 3\n").check(dump(*records))
    for records in ([(1, "1-1"), (2, "1-2"), (3, "1-3")], [(1, "1-1"), (3, "1-3")]):
        witness(SAID + "C 1 2\n").check(dump(*records))
    with pytest.raises(WitnessError, match="1-2 is lost"):
        witness(SAID + "C 1 2\nc 1 2\n").check(dump((1, "1-1"), (3, "1-3")))


def test_a_record_that_the_next_start_finds_must_stay() -> None:
    one = witness()
    one.hear(2, "B 2\nE 7\nM 4 1-4\n")
    with pytest.raises(WitnessError, match="1-4 is lost"):
        one.check(dump((1, "1-1"), (3, "1-3"), boot=2))
    with pytest.raises(WitnessError, match="1-9 was never appended"):
        witness().hear(2, "B 2\nE 7\nM 4 1-9\n")


def test_events_are_believed_only_for_a_reason() -> None:
    """P-81"""

    def with_event(code: int, *values: int) -> str:
        return dump((1, "1-1")) + "\n" + json.dumps({"seq": 5, "epoch": 7, "event": code, "values": values})

    witness().check(with_event(6, 2, 3))  # log_full
    for code, values in ((6, (1, 2)), (7, (4, 4))):
        with pytest.raises(WitnessError, match="1-3 is lost"):
            witness().check(with_event(code, *values))
    for code, told in ((7, [3, 3]), (7, [4, 5]), (8, [4, 5]), (5, [1, 2]), (9, [8])):
        with pytest.raises(WitnessError, match=r"passed over|without a reason"):
            witness().check(with_event(code, *told))


def test_a_second_life_of_a_number_or_a_start_is_found() -> None:
    one = witness()
    one.check(dump((1, "1-1"), (3, "1-3")))
    with pytest.raises(WitnessError, match="start 1 after 1"):
        one.hear(2, "B 1\n")
    with pytest.raises(WitnessError, match="number 3 is used twice"):
        one.hear(2, "B 2\nE 7\nA 3 2-1\n")
    with pytest.raises(WitnessError, match="MemoryError"):
        one.hear(2, "B 3\nE 7\nMemoryError: \n")


def test_each_operation_is_cut_and_torn_in_every_way_and_ids_are_read() -> None:
    """P-81"""
    every = [trial for start in starts(3) + starts(4) for trial in trials(start, 100)]
    assert {(str(trial.start.kind), trial.start.vm) for trial in every} == {
        (kind, vm) for kind in KINDS for vm in (32, 64)
    }
    assert {tuple(trial.cuts[0])[1:4] for trial in every} == set(TEARS)
    assert {percent for percent, _, _ in TEARS} == {0, 50, 99, 100}
    assert any(len(trial.cuts) == 2 for trial in every)
    assert all(trial_of(str(trial)) == trial for trial in every)
    assert trial_of("tight-32-5/7.50.16.1.7") == Trial(Start("tight", 32, 5), (Cut(7, 50, 16, 1, 7),))
    for wrong in ("", "tight", "tight-32-5/", "tight-31-5/7.50.16.1.7", "loose-32-5/7.50.16.1.7", "tight-32-5/7.50.16"):
        with pytest.raises(BadIdError, match="KIND one of"):
            trial_of(wrong)


def test_the_command_says_what_failed_and_how_to_replay_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """P-81"""
    failure = campaign.Failure("tight-32-5/7.50.16.1.7", "1-3 is lost")
    monkeypatch.setattr(campaign, "run", lambda *_: campaign.Outcome(5, 6, {"tight-32-5": 9}, [failure]))
    done = CliRunner().invoke(app, ["powercut", "--cuts", "5", "--seed", "9"])
    assert done.exit_code == 1
    assert "wattline hil powercut --replay tight-32-5/7.50.16.1.7" in done.output
    assert "seed 9: 5 trials, 6 cuts" in done.output
    told = json.loads(CliRunner().invoke(app, ["powercut", "--json"]).stdout)
    assert told["failures"] == [["tight-32-5/7.50.16.1.7", "1-3 is lost"]]
    done = CliRunner().invoke(app, ["powercut", "--replay", "x"])
    assert done.exit_code == 2
    assert "KIND one of" in done.output
