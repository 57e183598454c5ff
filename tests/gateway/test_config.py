"""What is wrong in a configuration is refused at the start: file, key, what is allowed; all of it at once, no network.

config_cases/NAME holds the files that differ from config_cases/good, and expected.txt: one line a problem, {dir} being
the folder of the case.
"""

import json
import os
import re
import shutil
import socket
from pathlib import Path
from typing import NoReturn

import pytest
from typer.testing import CliRunner

from gateway.app import Loaded
from gateway.cli import app
from protocol.host.strict import ConfigError

CASES = Path(__file__).parent / "config_cases"
NAMES = sorted(case.name for case in CASES.iterdir() if case.name != "good")


def laid_out(case: str, folder: Path) -> Path:
    """The case's files over the good ones. Keys are for their owner only, but for open.hex; passwords for everybody."""
    for source in (CASES / "good", CASES / case):
        for file in source.iterdir():
            shutil.copy(file, folder / file.name)
    for key in folder.glob("*.hex"):
        key.chmod(0o644 if key.name == "open.hex" else 0o600)
    (folder / "platform.toml").chmod(0o640)
    for password in folder.glob("*.password"):
        password.chmod(0o644)
    return folder / "gateway.toml"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_more: object) -> NoReturn:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize("case", NAMES)
def test_each_case_is_refused_with_its_text(case: str, tmp_path: Path) -> None:
    """P-32, P-400."""
    config = laid_out(case, tmp_path)
    with pytest.raises(ConfigError) as refused:
        Loaded(config)
    found = "".join(f"{problem}\n" for problem in refused.value.problems).replace(str(tmp_path), "{dir}")
    if os.environ.get("WATTLINE_WRITE_EXPECTED"):
        (CASES / case / "expected.txt").write_text(found, encoding="utf-8")
    assert found == (CASES / case / "expected.txt").read_text(encoding="utf-8")


def test_the_good_one_is_taken_and_check_says_so(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["check", "--config", str(laid_out("good", tmp_path)), "--json"])
    assert (answer.exit_code, answer.stdout) == (
        0,
        '{"ok": true, "problems": [], "warnings": [], "terminals": 1, "sinks": ["province"]}\n',
    )


@pytest.mark.parametrize(
    ("host", "more", "pw", "wrong"),
    [
        ("127.0.0.1", "", "831027", []),
        ("::1", "", "831027", []),
        ("localhost", "", "831027", []),
        ("127.0.0.1", "", "123456", ["station[0].pw"]),
        ("127.0.0.1", "tunnel = true\n", "777777", ["station[0].pw"]),
        ("127.0.0.1", "weak_passwords = true\n", "123456", []),
        ("platform.example", "", "831027", ["sink[0].host"]),
        ("10.1.2.3", "", "831027", ["sink[0].host"]),
        ("192.168.1.2", "", "831027", ["sink[0].host"]),
        ("fd00::1", "", "831027", ["sink[0].host"]),
        ("8.8.8.8", "", "123456", ["station[0].pw", "sink[0].host"]),
        ("8.8.8.8", "weak_passwords = true\n", "123456", ["sink[0].host"]),
        ("10.1.2.3", "tunnel = true\n", "831027", []),
    ],
)
def test_a_weak_password_and_a_bare_link_are_refused_unless_they_are_meant(
    host: str, more: str, pw: str, wrong: list[str], tmp_path: Path
) -> None:
    """S-28: by `check`, and by the gateway at its start."""
    config = laid_out("good", tmp_path)
    config.write_text(
        config.read_text()
        .replace("port = 9000", f"port = 9000\n{more}")
        .replace('kind = "hj212"\nhost = "127.0.0.1"', f'kind = "hj212"\nhost = "{host}"')
    )
    mapping = tmp_path / "platform.toml"
    mapping.write_text(re.sub('pw = "[^"]*"', f'pw = "{pw}"', mapping.read_text()))
    answer = CliRunner().invoke(app, ["check", "--config", str(config), "--json"])
    assert [one["key"] for one in json.loads(answer.stdout)["problems"]] == wrong
    assert answer.exit_code == bool(wrong)
    assert pw not in answer.stdout
    if wrong:
        with pytest.raises(ConfigError):
            Loaded(config)


@pytest.mark.parametrize(
    ("text", "mode", "wrong"),
    [
        ("010000A8900016F000169DC0 831027\n", 0o600, []),
        ("0" * 24 + " 444444\n010000A8900016F000169DC0 831027\n", 0o640, []),
        ("010000A8900016F000169DC0 831027\n", 0o644, ["password_file", "station[0].pw"]),
        ("010000A8900016F000169DC0 123456\n", 0o600, ["station[0].pw"]),
        ("010000A8900016F000169DC0831027\n", 0o600, ["password_file", "station[0].pw"]),
        ("010000A8900016F000169DC0 831027\n" * 2, 0o600, ["password_file", "station[0].pw"]),
        ("0" * 24 + " 831027\n", 0o600, ["station[0].pw"]),
        ("", 0o600, ["station[0].pw"]),
    ],
)
def test_platforms_passwords_lie_in_a_file_of_their_own(text: str, mode: int, wrong: list[str], tmp_path: Path) -> None:
    """S-28, P-406: nothing of it is shown; a mapping that others read, with passwords in it, is warned of."""
    config, mapping, file = laid_out("good", tmp_path), tmp_path / "platform.toml", tmp_path / "platform.secret"
    mapping.chmod(0o644)
    answer = CliRunner().invoke(app, ["check", "--config", str(config), "--json"])
    assert [one["key"] for one in json.loads(answer.stdout)["warnings"]] == ["station"]
    mapping.write_text('password_file = "platform.secret"\n' + re.sub('pw = "[^"]*"\n', "", mapping.read_text()))
    file.write_text(text)
    file.chmod(mode)
    answer = CliRunner().invoke(app, ["check", "--config", str(config), "--json"])
    said = json.loads(answer.stdout)
    assert ([one["key"] for one in said["problems"]], said["warnings"]) == (wrong, [])
    assert "831027" not in answer.stdout


def test_an_empty_password_is_refused(tmp_path: Path) -> None:
    """S-28."""
    config = laid_out("good", tmp_path)
    mapping = tmp_path / "platform.toml"
    mapping.write_text(re.sub('pw = "[^"]*"', 'pw = ""', mapping.read_text()))
    answer = CliRunner().invoke(app, ["check", "--config", str(config)])
    assert (answer.exit_code, "station[0].pw" in answer.stdout) == (1, True)


def test_check_prints_every_problem_and_fails(tmp_path: Path) -> None:
    """P-32."""
    config = laid_out("everything-at-once", tmp_path)
    answer = CliRunner().invoke(app, ["check", "--config", str(config)])
    assert answer.exit_code == 1
    expected = (CASES / "everything-at-once" / "expected.txt").read_text(encoding="utf-8")
    assert answer.stdout.replace(str(tmp_path), "{dir}") == f"{expected}2 problem(s) / 个问题\n"


def test_run_refuses_what_check_refuses(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["run", "--config", str(laid_out("wrong-key", tmp_path))])
    assert answer.exit_code == 1
    assert "mqtt.prot" in answer.stderr
    assert not (tmp_path / "data").exists()


def test_a_config_that_is_not_there_is_named(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["check", "--config", str(tmp_path / "none.toml")])
    assert (answer.exit_code, "none.toml: can't be read" in answer.stdout) == (1, True)
