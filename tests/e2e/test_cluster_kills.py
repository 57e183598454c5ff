"""Three workers on a cluster of three: whoever dies or is cut off, nothing acknowledged is lost."""

from pathlib import Path

import pytest

from tests.e2e.cluster_kills import KINDS, run

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.untimed]
ROUNDS, SEED = len(KINDS), 1  # each trouble once; `make kills` has more


def test_what_a_worker_acknowledged_outlives_workers_nodes_and_partitions_and_is_there_once(tmp_path: Path) -> None:
    """P-229: workers and nodes killed with -9, nodes cut off: 0 lost, 0 twice, and more acks after each."""
    found = run(ROUNDS, SEED, tmp_path)
    print(found)
    assert found.well, f"python -m tests.e2e.cluster_kills --rounds {ROUNDS} --seed {SEED}: {found}"
    assert found.acknowledged >= ROUNDS
