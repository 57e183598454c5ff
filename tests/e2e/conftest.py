"""What takes long to make, once for all end-to-end tests; and what takes much room."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clean_root import CleanRoot, make_dist


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels, source archive and Debian package of this checkout."""
    folder = tmp_path_factory.mktemp("made") / "dist"
    make_dist(folder)
    return folder


@pytest.fixture
def clean_root(tmp_path: Path) -> Iterator[CleanRoot]:
    """A clean Debian; afterwards without its programs: hundreds of MB that S-20 need not search."""
    root = CleanRoot(tmp_path / "root")
    yield root
    shutil.rmtree(root.folder / "usr")
