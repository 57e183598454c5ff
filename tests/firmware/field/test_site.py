"""The site plan: one source for a terminal's configuration and the gateway's entries, and errors to act on."""

import shutil
import tomllib
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from terminal import config, sampler
from typer.testing import CliRunner

from firmware.field import site
from firmware.field.cli import app
from firmware.field.site import certificates, gateway_entries, terminal_files
from firmware.field.site.check import PROFILES
from gateway.pki.authority import DER, PEM
from gateway.registry import TerminalEntry
from gateway.watch.enterprises import EnterprisesFile
from hil.authority import Authority
from protocol.host.strict import ConfigError, convert, read
from tests.firmware.field.plans import NOW, SEALING_KEY, laid_out


def problems(file: Path) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        site.load(file, now=NOW)
    return [str(one).removeprefix(f"{file}:") for one in refused.value.problems]


def line_of(file: Path, text: str, which: int = 0) -> int:
    return [number for number, line in enumerate(file.read_text().splitlines(), 1) if text in line][which]


def test_the_terminal_takes_what_is_made_of_the_plan_and_the_gateway_too(tmp_path: Path) -> None:
    """P-300"""
    found = site.load(laid_out(tmp_path), now=NOW)
    one = found.terminal(None)
    made = config.check(terminal_files.configuration_of(one, found.broker(one), found.plan.sntp))
    (meters,) = sampler.check_buses(made.buses, str(PROFILES))
    assert [(meter.address, meter.profile.name, meter.point) for meter in meters] == [
        (1, "dtsu666", 1),
        (2, "dtsu666", 2),
    ]
    assert [(one.kind, one.run_threshold_w) for one in made.points] == [("production", 8000), ("treatment", 2250)]
    row = {"id": one.id, "keys": [], "points": gateway_entries.points_of(one, PROFILES)}
    entry = convert(row, TerminalEntry, found.path)
    assert [(point.kind, point.rated_power_w) for point in entry.points] == [
        ("production", 160000),
        ("treatment", 45000),
    ]
    enterprises = tmp_path / "enterprises.toml"
    enterprises.write_text(gateway_entries.enterprises_toml(found.plan), encoding="utf-8")
    (enterprise,) = read(enterprises, EnterprisesFile).enterprise
    assert (enterprise.id, enterprise.linkage[0].treatment) == ("E0001", ["T0001/2"])


SECOND = 'number = 2\nname = "scrubber fan"'
# what a technician gets wrong: (the text it replaces, the text), where that is named (text, which), the words for it
WRONG = {
    "one address twice": (("address = 2", "address = 1"), "address = 1", 1, '1: already the address of "furnace"'),
    "an address of no meter": (("address = 2", "address = 248"), "address = 248", 0, "1 to 247"),
    "12 digits for Modbus": (
        ("address = 2", 'address = "202603010012"'),
        'address = "2',
        0,
        "that is how dtsu666 has it",
    ),
    "one number twice": (
        (SECOND, SECOND.replace("2", "1")),
        "number = 1",
        1,
        "already that of terminal[0].bus[0].point[0]",
    ),
    "a ratio of 0": (("ct_ratio = 20", "ct_ratio = 0"), "ct_ratio = 0", 0, "an integer 1 to 10000"),
    "a ratio too small": (("ct_ratio = 80", "ct_ratio = 8"), "ct_ratio = 8", 0, "the meter would get 28.98 A"),
    "kilowatts for watts": (
        ("rated_power_w = 160000", "rated_power_w = 160"),
        "ct_ratio = 80",
        0,
        "another rated_power_w",
    ),
    "no such profile": (('profile = "dtsu666"', 'profile = "dtsu999"'), 'profile = "dtsu999"', 0, "dtsu999"),
    "one phase": (('profile = "dtsu666"', 'profile = "dlt645_1p"'), "address = 1", 0, "12 digits"),
    "a role of ours": (('role = "treatment"', 'role = "scrubber"'), 'role = "scrubber"', 0, '"treatment"'),
    "a linkage to nowhere": (('"T0001/2"', '"T0001/3"'), 'treatment = ["T0001/3"]', 0, "no such point"),
    "a linkage turned round": (('["T0001/2"]', '["T0001/1"]'), "treatment = [", 0, "is production, not treatment"),
    "a divisor": (
        ('board = "esp32s3"', 'board = "esp32s3"\nsample_interval_s = 7'),
        "sample_interval_s",
        0,
        "divisor of 900",
    ),
    "the example's key": ((SEALING_KEY, 64 * "0"), "sealing_key", 0, "what `wattline gateway sealing-key` prints"),
    "no password": (('"wifi-password.txt"', '"no.txt"'), "password_file", 0, "can't be read"),
    "half of TLS": (("port = 1883", 'server_name = "b"'), "[broker]", 0, "TLS needs both"),
    "a word too much": (("place =", "plaec ="), "plaec", 0, "did you mean / 是否想写: place"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_in_a_plan_is_named_with_its_line_and_what_is_allowed(case: str, tmp_path: Path) -> None:
    """P-300"""
    edit, place, which, words = WRONG[case]
    file = laid_out(tmp_path, edit)
    found = problems(file)
    assert any(one.startswith(f"{line_of(file, place, which)}: ") and words in one for one in found), found
    told = CliRunner().invoke(app, ["plan", str(file)])
    assert told.exit_code == 1
    assert words in told.stderr


def test_a_meter_of_one_phase_measures_no_point_of_three(tmp_path: Path) -> None:
    """P-300"""
    meter = 'profile = "dlt645_1p"\naddress = "202603010012"\n'
    file = laid_out(tmp_path, ('profile = "dtsu666"\naddress = 2\n', meter))
    assert [one for one in problems(file) if "measures one phase" in one]
    one_phase = laid_out(tmp_path, ('profile = "dtsu666"\naddress = 2\n', meter + "phases = 1\n"), ("45000", "15000"))
    assert site.load(one_phase, now=NOW).terminal("T0001").points[1].phases == 1


def tls(folder: Path, name: str = "T0001", end: datetime = NOW + timedelta(days=900)) -> Path:
    """The example by TLS, with certificates of an authority."""
    authority = Authority()
    issued = authority.issue(name, end=end)
    (folder / "ca.pem").write_bytes(authority.own.certificate_bytes(PEM))
    (folder / "own.der").write_bytes(issued.certificate_bytes(DER))
    (folder / "own.key").write_bytes(issued.key_bytes(PEM))
    return laid_out(
        folder,
        ("port = 1883", 'port = 8883\nserver_name = "broker"\nca = "ca.pem"'),
        ('board = "esp32s3"', 'board = "esp32s3"\ncertificate = "own.der"\ncertificate_key = "own.key"'),
    )


def test_certificates_are_checked_before_a_terminal_gets_them_and_no_key_is_shown(tmp_path: Path) -> None:
    """P-300"""
    found = site.load(tls(tmp_path), now=NOW)
    one = found.terminal(None)
    files = certificates.files_of(tmp_path, one, found.broker(one))
    assert files["client.der"] == (tmp_path / "own.der").read_bytes()
    assert all(data.startswith(b"\x30") for data in files.values())
    assert "of ['T0002']" in problems(tls(tmp_path, "T0002"))[0]
    assert "not today" in problems(tls(tmp_path, end=NOW))[0]
    file = tls(tmp_path)
    shutil.copy(tmp_path / "ca.pem", tmp_path / "own.key")
    assert "own.key: not PEM or DER without password" in problems(file)[0]
    (tmp_path / "own.key").write_bytes(Authority().issue("T0001").key_bytes(PEM))
    (wrong,) = problems(file)
    assert "of another certificate" in wrong
    assert "BEGIN" not in wrong


def test_the_command_writes_what_is_made_of_the_plan(tmp_path: Path) -> None:
    """P-300"""
    told = CliRunner().invoke(app, ["plan", str(laid_out(tmp_path)), "--out", str(tmp_path / "made")])
    assert told.exit_code == 0, told.output
    assert "1 furnace (production): dtsu666, 1, CT 80, 160000 W" in told.stdout
    assert config.load(str(tmp_path / "made" / "T0001.terminal.json")).terminal == "T0001"
    assert tomllib.loads((tmp_path / "made" / "enterprises.toml").read_text())["enterprise"][0]["id"] == "E0001"
