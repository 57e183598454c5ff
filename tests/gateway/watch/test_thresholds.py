"""Thresholds that are learnt: of made-up plants whose truth is known, and by the command over a journal."""

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config import VerifyConfig
from gateway.journal.journal import Journal
from gateway.watch.thresholds import (
    ALWAYS_ALIKE,
    NO_TWO_GROUPS,
    POINTS_DIFFER,
    SLOTS_MIN,
    TOO_FEW,
    Groups,
    groups,
    learnt,
)
from tests.gateway.support import NOW_S, Sender, accept, commit, reading, window
from tests.gateway.watch.plant import ENTERPRISE, POINTS, configured

SENDER = Sender()
SLOTS = 4 * 96
FRAME = 32  # windows


def plant(seed: int, running_w: float, standby: float, share: float) -> tuple[list[float], list[float]]:
    """(while it stands, while it runs): quarters of an hour; its load varies by half, its standby by a third."""
    chance = random.Random(seed)
    runs = round(share * SLOTS)
    stands = [running_w * standby * chance.uniform(0.7, 1.3) for _ in range(SLOTS - runs)]
    return stands, [running_w * chance.uniform(0.5, 1.5) for _ in range(runs)]


@given(
    seed=st.integers(0, 2**32 - 1),
    running_w=st.floats(200, 1e8),
    standby=st.floats(0, 0.05),
    share=st.floats(0.1, 0.8),
)
def test_what_stands_and_what_runs_is_told_apart_by_what_is_learnt(
    seed: int, running_w: float, standby: float, share: float
) -> None:
    """P-514: each quarter of an hour, whatever the plant draws and however long it runs, in whatever order."""
    stands, runs = plant(seed, running_w, standby, share)
    mixed = [*stands, *runs]
    random.Random(seed).shuffle(mixed)
    found = learnt([groups(mixed)])
    assert found.on_w is not None, found
    assert max(stands) < found.on_w <= min(runs)
    assert found == learnt([groups(sorted(mixed))])


@given(seed=st.integers(0, 2**32 - 1), middle_w=st.floats(1, 1e8), wide=st.floats(0, 0.5), is_even=st.booleans())
def test_of_one_group_nothing_is_learnt(seed: int, middle_w: float, wide: float, *, is_even: bool) -> None:
    """P-514: a plant that always runs, as evenly or unevenly as it likes, and one that never does."""
    chance = random.Random(seed)
    one = [middle_w * (chance.uniform(1 - wide, 1 + wide) if is_even else chance.gauss(1, wide)) for _ in range(SLOTS)]
    assert groups(one) in {NO_TWO_GROUPS, ALWAYS_ALIKE}
    assert groups([0.0] * SLOTS) == ALWAYS_ALIKE


def test_of_little_nothing_is_learnt() -> None:
    """P-514: also where a plant ran once, or stood once, for an hour."""
    half = SLOTS_MIN // 2
    assert groups([0.0] * half + [5000.0] * (half - 1)) == TOO_FEW
    assert isinstance(groups([0.0] * half + [5000.0] * half), Groups)
    assert groups([0.0] * SLOTS + [5000.0] * 4) == groups([0.0] * 4 + [5000.0] * SLOTS) == ALWAYS_ALIKE
    assert groups([]) == TOO_FEW
    small = groups([0.0] * SLOTS + [1000.0] + [5000.0] * 11)
    assert isinstance(small, Groups)
    assert 1000 <= small.running_w <= 5000, "what it drew, and nothing beyond"


def test_points_of_a_linkage_have_one_threshold_or_none() -> None:
    """P-514: a great furnace's standby is a small one's load: no power tells both."""
    small, large = groups([0.0] * SLOTS + [1_000.0] * SLOTS), groups([2_000.0] * SLOTS + [1e6] * SLOTS)
    alike = groups([50.0] * SLOTS + [3_000.0] * SLOTS)
    assert learnt([small, large])[:2] == (None, POINTS_DIFFER)
    assert learnt([small, TOO_FEW])[:2] == (None, TOO_FEW)
    together = learnt([small, alike])
    assert together.on_w is not None
    assert 50 < together.on_w <= 1_000


def journalled(folder: Path, powers_w: list[tuple[int, int]]) -> None:
    """A window a pair of (furnace, filter), up to NOW_S."""
    journal, first_s = Journal(folder / "data", VerifyConfig()), NOW_S - 900 * len(powers_w)
    raws = [
        window(at, first_s + 900 * at, [reading(p_mean_w=one, p_min_w=one, p_max_w=one) for one in pair])
        for at, pair in enumerate(powers_w)
    ]
    for at in range(0, len(raws), FRAME):
        commit(journal, [accept(SENDER, SENDER.frame(raws[at : at + FRAME]), POINTS, NOW_S)])
    journal.close()


def asked(config: Path) -> tuple[int, list[dict[str, Any]]]:
    words = ["thresholds", "--config", str(config), "--to", "2026-03-01T00:00:00Z"]
    done = CliRunner().invoke(app, [*words, "--json"])
    assert CliRunner().invoke(app, words).exit_code == done.exit_code
    return done.exit_code, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(("set_w", "is_well"), [(500, True), (15, False), (900, False)])
def test_the_command_says_what_is_learnt_beside_what_is_set(tmp_path: Path, set_w: int, is_well: bool) -> None:
    """P-515: 500 parts the filter's 20 W from its 800; below its standby, and above its load, it does not."""
    config = configured(tmp_path, SENDER, ENTERPRISE.replace("treatment_on_w = 500", f"treatment_on_w = {set_w}"))
    journalled(tmp_path, [(5_000, 800) if at % 96 < 40 else (40, 20) for at in range(SLOTS)])
    status, (production, treatment) = asked(config)
    assert status == (0 if is_well else 1)
    assert [one["key"] for one in (production, treatment)] == ["production_on_w", "treatment_on_w"]
    assert (production["set_w"], production["is_well"], treatment["set_w"]) == (1_000, True, set_w)
    assert treatment["is_well"] == is_well
    assert 20 < treatment["learnt_w"] <= 800
    (point,) = treatment["points"]
    assert (point["point"], point["slots"], point["standby_w"], point["running_w"]) == ("T0001/2", SLOTS, 20, 800)
    assert math.isclose(point["share"], 40 / 96)


def test_what_can_not_be_learnt_is_said_and_is_no_success(tmp_path: Path) -> None:
    """P-515"""
    config = configured(tmp_path, SENDER)
    journalled(tmp_path, [(5_000, 800)] * FRAME)
    status, sides = asked(config)
    assert (status, [one["why"] for one in sides], [one["is_well"] for one in sides]) == (1, [TOO_FEW] * 2, [False] * 2)
    done = CliRunner().invoke(app, ["thresholds", "--config", str(config), "--enterprise", "E9"])
    assert (done.exit_code, "E9: not in" in done.output) == (1, True)
