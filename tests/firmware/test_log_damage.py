"""A damaged log, on the real VM, on LittleFS: a thousand random damages (hil/vm/log_damage.py has the judge)."""

import json
from collections import Counter

import pytest

from hil import micropython

SEEDS = 500  # for each VM


def damages(vm: int, seed: int, count: int) -> list[dict[str, object]]:
    status, said = micropython.run("log_damage", seed, count, vm=vm, heap="16m", timeout_s=400)
    assert status == 0, said[-2000:]
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def check(vm: int, seed: int, count: int) -> list[dict[str, object]]:
    found = damages(vm, seed, count)
    assert [one["seed"] for one in found] == list(range(seed, seed + count))
    wrong = [one for one in found if one["wrong"]]
    assert not wrong, f"replay on vm{vm}: log_damage SEED 1: {wrong[:3]}"
    return found


def test_some_damages() -> None:
    """R-24: what one runs between edits."""
    check(64, 5000, 30)


@pytest.mark.slow
@pytest.mark.parametrize("vm", [64, 32])
def test_a_damaged_log_opens_loses_only_what_was_damaged_and_tells_it(vm: int) -> None:
    """R-24, P-180: torn files, one flipped bit in a file or anywhere in the flash, lost files and folders, random
    bytes; 500 of them on each VM.
    """
    found = check(vm, vm * 1000, SEEDS)
    words = Counter(str(one["damage"]).split()[0] for one in found)
    assert min(words[word] for word in ("torn", "bit", "flash", "lost", "random")) > SEEDS // 20
    assert sum(1 for one in found if one["lost"]) > SEEDS // 4, "most of them do cost something"
