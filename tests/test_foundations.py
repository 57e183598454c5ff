"""What the README, the Makefile, the lock and CI say to each other."""

import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import command

REPO = Path(__file__).resolve().parent.parent
README = (REPO / "README.md").read_text(encoding="utf-8")
LOCKS = sorted((REPO / "deploy/setup").glob("*.lock"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_locked_package_is_pinned_and_hashed_and_no_host_is_named(lock: Path) -> None:
    """P-04"""
    text = lock.read_text()
    entries = re.split(r"\n(?=[a-z])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())
    assert entries
    assert all(re.match(r"[a-z0-9-]+==\S+", entry) and "--hash=sha256:" in entry for entry in entries)
    assert "://" not in text
    assert "index-url" not in text


def test_every_dependency_of_the_project_is_locked() -> None:
    """P-04"""
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    locked = (REPO / "deploy/setup/requirements.lock").read_text()
    names = [re.split(r"[<>=\[]", requirement)[0] for requirement in wanted]
    assert [name for name in names if f"\n{name}==" not in locked] == []


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPO / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)`", README)) | set(re.findall(r"^make ([a-z-]+)", README, re.MULTILINE))
    assert {"demo", "test", "check"} <= named <= targets


def test_every_command_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"wattline (gateway|field|hil) ([a-z-]+)", README))
    assert {("hil", "demo"), ("hil", "run"), ("gateway", "run")} <= named
    for words in sorted(named):
        assert CliRunner().invoke(command.app, [*words, "--help"]).exit_code == 0, words


def test_ci_runs_what_the_readme_says() -> None:
    lines = [line for line in (REPO / ".ci/run").read_text().splitlines() if line.startswith("make ")]
    assert lines == ["make check", "make test"]
    assert "`make check` and then `make test`" in README


def test_no_test_imports_another() -> None:
    """What several share stands in a module of its own: who edits a test changes no other."""
    importing = re.compile(r"^(?:from|import) tests\.(?:\w+\.)*test_\w+", re.MULTILINE)
    files = [path for path in (REPO / "tests").rglob("*.py") if importing.search(path.read_text(encoding="utf-8"))]
    assert [path.relative_to(REPO).as_posix() for path in files] == []
