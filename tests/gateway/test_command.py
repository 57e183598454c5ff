"""The root command: groups found lazily, and `wattline explain` around any explainer."""

import json
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gateway import command
from gateway import explain as explaining

HERE = __name__
sub = typer.Typer()


@sub.command()
def greet(name: str) -> None:
    """Greet somebody."""
    typer.echo(f"hello {name}")


def echo_explainer(data: bytes) -> dict[str, Any]:
    """ok for anything that starts with 01."""
    verdict, reason = ("ok", "") if data[:1] == b"\x01" else ("malformed", "first-byte: 01 expected")
    return {
        "verdict": verdict,
        "reason": reason,
        "fields": {"size": len(data), "inner": {"hex": data.hex(), "none": None}},
    }


@pytest.fixture(autouse=True)
def entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two groups, one of which cannot be imported, and two explainers."""
    groups = {
        command.COMMANDS: {
            "good": f"{HERE}:sub",
            "hil": "no_such_package_at_all:app",
            "gateway": "gateway.no_such_file:app",
        },
        command.EXPLAINERS: {"frame": f"{HERE}:echo_explainer", "hj212": f"{HERE}:echo_explainer"},
    }
    monkeypatch.setattr(
        command,
        "entry_points",
        lambda group: [EntryPoint(name, value, group) for name, value in groups[group].items()],
    )
    monkeypatch.setattr(EntryPoint, "load", _load)


def _load(entry: EntryPoint) -> Any:
    module, _, name = entry.value.partition(":")
    return globals()[name] if module == HERE else __import__(module)


def run(*args: str, stdin: bytes | str | None = None) -> Any:
    return CliRunner().invoke(command.app, list(args), input=stdin)


def test_help_lists_groups_without_importing_them_and_shows_examples() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert all(word in result.output for word in ("good", "hil", "explain", "wattline hil demo"))


def test_a_group_is_called_with_its_arguments() -> None:
    assert run("good", "greet", "Li").output == "hello Li\n"
    assert "Greet somebody" in run("good", "--help").output


def test_a_group_whose_extra_is_missing_names_it_in_both_languages_when_called() -> None:
    """P-03"""
    result = run("hil", "demo")
    assert result.exit_code == command.USAGE
    assert "pip install 'wattline[hil]'" in result.stderr
    assert "需要软件包" in result.stderr


def test_a_missing_file_of_ours_is_not_blamed_on_an_extra() -> None:
    assert isinstance(run("gateway", "run").exception, ModuleNotFoundError)


def test_version() -> None:
    assert run("--version").output.startswith("wattline 0.")


def test_unknown_command_suggests_a_near_one() -> None:
    result = run("hill")
    assert result.exit_code == command.USAGE
    assert "hil" in result.stderr


def test_explain_a_message_given_as_an_argument_with_blanks() -> None:
    result = run("explain", "--protocol", "frame", "01 02", "0A")
    assert result.exit_code == command.OK
    assert result.output.splitlines() == ["ok 正常", "  size: 3", "  inner:", "    hex: 01020a", "    none: -"]


def test_explain_json_gives_one_object_per_line_of_input(tmp_path: Path) -> None:
    file = tmp_path / "captured.hex"
    file.write_bytes(b"01\n\r\nff 00\nxyz\n01:02:03")
    result = run("explain", "--protocol", "frame", "--file", str(file), "--json")
    found = [json.loads(line) for line in result.output.splitlines()]
    assert [one["verdict"] for one in found] == ["ok", "malformed", "malformed", "malformed", "ok"]
    assert found[3]["reason"].startswith("not-hex: ")
    assert found[4]["fields"]["size"] == 3
    assert result.exit_code == command.SOME_NOT_OK


def test_explain_reads_standard_input_and_numbers_the_lines() -> None:
    result = run("explain", "--protocol", "frame", "-", stdin=b"01\n01\n")
    assert result.exit_code == command.OK
    assert [line for line in result.output.splitlines() if "ok" in line] == ["1. ok 正常", "2. ok 正常"]


def test_text_is_the_message_itself_for_hj212_alone() -> None:
    text = json.loads(run("explain", "--protocol", "hj212", "--json", "##0004QN=1").output)
    assert text["fields"]["inner"]["hex"] == b"##0004QN=1\r\n".hex()
    assert json.loads(run("explain", "--protocol", "frame", "--json", "##0004QN=1").output)["reason"].startswith(
        "not-hex"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--protocol", "nonsense", "01"],
        ["--protocol", "frame"],
        ["--protocol", "frame", "--file", "/nonexistent/file"],
        ["--protocol", "frame", "--file", "x", "01"],
        ["01"],
    ],
)
def test_wrong_use_ends_with_2_and_says_what_is_allowed(arguments: list[str]) -> None:
    result = run("explain", *arguments)
    assert result.exit_code == command.USAGE
    assert result.stderr.strip()


def test_a_line_too_long_is_one_finding_and_the_next_line_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explaining, "MAX_LINE_BYTES", 20)
    lines = b"01" * 10 + b"\n" + b"01" * 11 + b"\n" + b"01" * 100 + b"\r\n" + b"01\r\n"
    found = [
        json.loads(line)
        for line in run("explain", "--protocol", "frame", "--json", "-", stdin=lines).output.splitlines()
    ]
    assert [one["reason"].partition(":")[0] for one in found] == ["", "line-too-long", "line-too-long", ""]


def test_too_many_lines_are_said_to_be_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explaining, "MAX_LINES", 2)
    result = run("explain", "--protocol", "frame", "--json", "-", stdin=b"01\n01\n01\n")
    found = [json.loads(line) for line in result.output.splitlines()]
    assert [one["reason"].partition(":")[0] for one in found] == ["", "", "too-many-lines"]
    assert result.exit_code == command.SOME_NOT_OK
    assert run("explain", "--protocol", "frame", "--json", "-", stdin=b"01\n01\n").exit_code == command.OK


def test_what_comes_from_the_wire_cannot_steer_the_terminal() -> None:
    """P-02"""
    found = {"verdict": "ok", "reason": "", "fields": {"na\x1bme": ["\x1b[2J", "a\nb", "\u202e", "电表 1"]}}
    text = explaining.render(found)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert text.splitlines() == [
        "ok 正常",
        r"  na\x1bme:",
        r"    [0]: \x1b[2J",
        r"    [1]: a\nb",
        r"    [2]: \u202e",
        "    [3]: 电表 1",
    ]


@given(st.binary(max_size=300))
def test_any_bytes_give_one_finding_a_line(data: bytes) -> None:
    """P-02"""
    result = run("explain", "--protocol", "hj212", "--json", "-", stdin=data)
    lines = data.split(b"\n")
    assert len(result.output.splitlines()) == len(lines) - (lines[-1] == b"")
    assert result.exit_code in (command.OK, command.SOME_NOT_OK)
