"""docs/architecture.md tells of every folder that there is."""

import re

import pytest

from tests.docs.commands import REPO

TEXT = (REPO / "docs/architecture.md").read_text(encoding="utf-8")
ROOMS = ("firmware", "gateway", "hil", "protocol", "deploy")
# of a folder's own reader alone: schemas of stores, what a page loads, a package's inner parts
INNER = {"schema", "static", "pages", "__pycache__", "files", "nodered", "debian", "phase_maps", "update"}
FOLDERS = [
    path.relative_to(REPO).as_posix()
    for room in ROOMS
    for path in sorted((REPO / room).rglob("*"))
    if path.is_dir() and len(path.relative_to(REPO).parts) <= 3 and INNER.isdisjoint(path.relative_to(REPO).parts)
    if any(one.is_file() for one in path.iterdir()) and "benchmarks" not in path.parent.parts
]


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_folder_has_its_place_in_the_architecture(folder: str) -> None:
    """By its whole path, or in a row that begins with its room by what comes after it."""
    room, inside = folder.split("/", 1)
    names = "|".join({re.escape(inside), re.escape(inside.split("/")[-1])})
    rows = [line for line in TEXT.splitlines() if f"`{folder}/" in line or f"`{room}/" in line]
    assert any(re.search(rf"[`/]({names})/", line) for line in rows), f"docs/architecture.md: {folder}/ is not told of"
