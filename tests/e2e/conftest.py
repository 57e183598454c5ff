"""What takes long to make, once for all end-to-end tests; and what takes much room."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clean_root import CleanRoot, make_dist


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels, source archive and Debian package of this checkout; made by one worker of xdist, for all."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    folder, done = shared / "made", shared / "made.done"
    with (shared / "made.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two at once would be in each other's way in the checkout
        if not done.exists():
            make_dist(folder)
            done.touch()
    return folder


@pytest.fixture
def clean_root(tmp_path: Path) -> Iterator[CleanRoot]:
    """A clean Debian; afterwards without its programs: hundreds of MB that S-20 need not search."""
    root = CleanRoot(tmp_path / "root")
    yield root
    shutil.rmtree(root.folder / "usr")
