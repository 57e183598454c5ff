"""What takes long to make, once for all end-to-end tests."""

from pathlib import Path

import pytest

from tests.e2e.clean_root import make_dist


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels, source archive and Debian package of this checkout."""
    folder = tmp_path_factory.mktemp("made") / "dist"
    make_dist(folder)
    return folder
