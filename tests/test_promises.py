"""docs/promises.md is kept by tests, and the check that says so can fail."""

from pathlib import Path

import pytest

from tests import promises

REPO = Path(__file__).resolve().parent.parent
# Spelled so that this file itself quotes none of them.
R1, P1, FR1, S9 = ("-".join(parts) for parts in (("R", "91"), ("P", "91"), ("FR", "91"), ("S", "99")))

GOOD = {
    "docs/promises.md": f"| id | promise | test |\n|---|---|---|\n"
    f"| {R1} | nothing is lost | tests/test_a.py::test_keeps |\n"
    f"| {P1} | nothing is late | tests/room/test_b.py::TestB::test_early tests/test_a.py::test_above |\n",
    "protocol/SPEC.md": f"| id | rule |\n|---|---|\n| {FR1} | short |\n",
    "tests/test_a.py": f'def test_keeps():\n    """{R1}: nothing is lost."""\n\n\n'
    f"# {P1}: the other half\n@decorated\ndef test_above():\n    pass\n\n\n"
    f'def test_not_a_quote():\n    assert "{S9}"\n',
    "docs/threat-model.md": f"See {P1}, tests/test_a.py::test_above.\n"
    + "".join(f"| {goal} | partly | some of it | {R1} |\n" for goal in promises.GOALS),
    "tests/room/test_b.py": f"class TestB:\n    async def test_early(self):\n        x = 1  # {P1} and {FR1}\n",
}


def findings(folder: Path, **changed: tuple[str, str]) -> list[str]:
    """The check's findings on the good tree, with some text of a file replaced."""
    for name, text in GOOD.items():
        old, new = changed.get(Path(name).stem, ("", ""))
        assert old in text
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace(old, new) if old else text)
    return promises.findings(folder)


def test_the_promises_of_this_repository_hold() -> None:
    """P-332."""
    assert promises.findings(REPO) == []
    assert promises.rows(REPO / "docs/promises.md")


def test_a_good_tree_has_no_findings(tmp_path: Path) -> None:
    assert findings(tmp_path) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"promises": ("tests/test_a.py::test_keeps", "")}, f"{R1}: docs/promises.md names no test for it"),
        ({"promises": ("::test_keeps", "::test_gone")}, f"{R1}: there is no test tests/test_a.py::test_gone"),
        (
            {"promises": ("test_a.py::test_keeps", "test_c.py::test_c")},
            f"{R1}: there is no test tests/test_c.py::test_c",
        ),
        (
            {"promises": ("::test_keeps", "::test_not_a_quote")},
            f"{R1}: tests/test_a.py::test_not_a_quote does not quote it",
        ),
        ({"promises": ("TestB::", "")}, f"{P1}: there is no test tests/room/test_b.py::test_early"),
        ({"test_b": (FR1, "")}, f"{FR1}: no test quotes this clause of protocol/"),
        ({"test_b": (P1, S9)}, f"{S9}: quoted by tests/room/test_b.py::TestB::test_early, but neither"),
        ({"test_b": (f"{P1} and {FR1}", f"{P1}\n\n\n# {FR1}")}, f"{FR1}: no test quotes this clause"),
        ({"test_b": ("class TestB", f"# {S9}\n\nclass TestB")}, f"{S9}: quoted by tests/room/test_b.py, but neither"),
        ({"SPEC": (FR1, P1)}, f"{P1}: stands more than once"),
    ],
)
def test_each_kind_of_mismatch_is_found(tmp_path: Path, changed: dict[str, tuple[str, str]], expected: str) -> None:
    assert any(line.startswith(expected) for line in findings(tmp_path, **changed))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (f"| {promises.GOALS[6]} |", "|  |", f"{promises.GOALS[6]}: threat-model.md has no row for it"),
        ("::test_above", "::test_gone", "threat-model.md: there is no test tests/test_a.py::test_gone"),
        (f"See {P1}", f"See {P1}1", f"{P1}1: threat-model.md names it, and nothing promises it"),
        (f"some of it | {R1}", f"some of it | {promises.GOALS[0]}", f"{promises.GOALS[0]}: threat-model.md names it"),
    ],
)
def test_what_the_threat_model_lacks_or_invents_is_found(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """P-332: a goal may go without a promise, if it names none as its proof."""
    assert any(line.startswith(expected) for line in findings(tmp_path, **{"threat-model": (old, new)}))
