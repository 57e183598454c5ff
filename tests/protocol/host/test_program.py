"""Which program it is: from git in a checkout, from build.json in what is installed; the same wherever it is said."""

import json
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from firmware import image
from gateway import command
from gateway.metrics import Metrics
from hil import versions
from protocol.host import program
from protocol.host.program import Program
from tests.gateway.support import ROOT

SET_UP = ["-c", "user.name=t", "-c", "user.email=t@localhost"]


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    program.this.cache_clear()
    yield
    program.this.cache_clear()


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *SET_UP, *words], check=True, capture_output=True, timeout=60)


def test_a_checkout_says_its_commit_and_whether_it_was_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-380."""
    git(tmp_path, "init")
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "one", "--date", "2026-03-01T00:00:00Z")
    monkeypatch.setattr(program, "_ROOT", tmp_path)
    whole = program.this()
    assert (len(whole.commit) >= 7, whole.changed) == (True, False)
    assert whole.committed_s == program.built_s()
    (tmp_path / "file").write_text("2")
    program.this.cache_clear()
    assert program.this() == Program(whole.version, whole.commit, whole.committed_s, changed=True)


def test_what_was_made_says_what_was_written_into_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-380: in every place the same, whatever repository lies around it."""
    file = tmp_path / "build.json"
    file.write_text(json.dumps({"version": "9.8.7", "commit": "abcdef0", "committed_s": 1_800_000_000}))
    monkeypatch.setattr(program, "BUILD_FILE", file)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert "9.8.7 (abcdef0)" in CliRunner().invoke(command.app, ["--version"]).output
    assert Metrics().registry.get_sample_value(
        "wattline_build_info", {"version": "9.8.7", "commit": "abcdef0", "changed": "false"}
    )
    assert (versions.commit(), versions.versions()["wattline"]) == ("abcdef0", "9.8.7")
    assert (image.version_here(), image.built_here_s()) == ((9, 8, 7), 1_800_000_000)
    image.build("unix", tmp_path / "image", image.version_here(), image.built_here_s())
    assert b"abcdef0" in (tmp_path / "image/terminal/image.mpy").read_bytes()


def test_here_the_version_is_the_projects() -> None:
    """P-380."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert program.this().version == project["version"]


def test_where_nobody_wrote_it_down_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_ROOT", tmp_path)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert (program.this().commit, program.built_s()) == (program.UNKNOWN, None)
    with pytest.raises(image.ImageError, match="SOURCE_DATE_EPOCH"):
        image.built_here_s()
