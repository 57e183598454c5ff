"""Power cuts of the real gateway behind the real broker."""

from pathlib import Path

import pytest

from tests.e2e.gateway_kills import run

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.untimed]
ROUNDS, SEED = 5, 11  # `make kills` has 50


def test_what_the_gateway_acknowledged_outlives_power_cuts_and_is_there_once(tmp_path: Path) -> None:
    """R-07: through real processes, on a disk that loses what was not synced."""
    found = run(ROUNDS, SEED, tmp_path)
    assert found.well, f"python -m tests.e2e.gateway_kills --rounds {ROUNDS} --seed {SEED}: {found}"
    assert found.acknowledged >= ROUNDS
