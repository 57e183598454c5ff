"""The judge of updates under power cuts can condemn. The cuts: tests/firmware/test_power_cuts.py."""

import json

import pytest

from hil.powercut.releases import FIRST, application_of
from hil.powercut.update_witness import UpdateWitness
from hil.powercut.witness import WitnessError

OLD, NEW = FIRST + 1, FIRST + 2
BEGUN = f"B {OLD} 1000 {OLD}\nP\np {OLD} {OLD}\n"


def dump(active: int, good: int, newest: int, **changed: object) -> str:
    applications = {"1000": "root", str(good): application_of(good), str(active): application_of(active)}
    told = {"active": active, "good": good, "newest": newest, "applications": applications, "writable": True}
    return json.dumps(told | changed)


def witness(said: str) -> UpdateWitness:
    one = UpdateWitness()
    one.hear(1, said)
    return one


@pytest.mark.parametrize(
    ("said", "dumped", "what"),
    [
        (BEGUN, dump(NEW, OLD, NEW), f"{NEW} runs"),
        (BEGUN + f"T {NEW}\nt {NEW}\n", dump(OLD, OLD, NEW), f"{OLD} runs"),
        (BEGUN, dump(OLD, OLD, OLD - 1), "forgotten"),
        (BEGUN, dump(OLD, OLD, OLD, writable=False), "written"),
        (BEGUN, dump(OLD, OLD, OLD, applications={str(OLD): None}), "not whole"),
        (BEGUN, dump(OLD, OLD, OLD, applications={str(OLD): application_of(NEW)}), "another one"),
        (BEGUN, "Traceback", "does not open"),
    ],
)
def test_what_does_not_hold_is_found(said: str, dumped: str, what: str) -> None:
    """R-23"""
    with pytest.raises(WitnessError, match=what):
        witness(said).check(dumped)


def test_what_may_be_after_a_cut_may_be() -> None:
    witness(BEGUN).check(dump(OLD, OLD, OLD))
    for active in (OLD, NEW):  # cut while it was taken
        witness(BEGUN + f"T {NEW}\n").check(dump(active, OLD, OLD))
    one = witness(BEGUN + f"T {NEW}\nt {NEW}\n")
    one.hear(2, f"B {NEW} {OLD} {NEW}\nC\nc {OLD} {OLD}\n")
    one.check(dump(OLD, OLD, NEW))
    with pytest.raises(WitnessError, match="not one of"):
        one.hear(3, f"B {NEW} {OLD} {NEW}\n")
    with pytest.raises(WitnessError, match="the run said"):
        one.hear(3, "MemoryError: \n")
