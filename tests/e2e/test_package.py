"""What `make dist` makes: whole, the same bytes again, and at work where nothing of ours was before."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from hil.broker import Broker
from hil.process import Process
from protocol.host import program
from tests.e2e.clean_root import WHEELS, CleanRoot, only
from tests.gateway.support import ROOT, Sender, mosquitto, takes_a_frame, write_config

pytestmark = [pytest.mark.e2e, pytest.mark.untimed]

ROOMS = ("cext", "firmware", "gateway", "hil", "protocol")


def rooms() -> set[str]:
    """Every file of ours that git has, or would take."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *ROOMS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return {name for name in done.stdout.splitlines() if (ROOT / name).exists()}


def test_a_wheel_and_the_source_archive_have_all_of_the_rooms_and_nothing_else(dist: Path) -> None:
    """P-381."""
    files, stamp = rooms(), "protocol/host/build.json"
    for pattern, compiled in (
        ("*-linux_*.whl", {one.name for one in (ROOT / "cext").glob("*.so")}),
        ("*-any.whl", set()),
    ):
        with zipfile.ZipFile(only(dist, pattern)) as wheel:
            modules = [wheel.read(name) for name in wheel.namelist() if name.endswith(".so")]
            assert not any(str(ROOT).encode() in data for data in modules), "a folder of this machine"
            found = {name for name in wheel.namelist() if ".dist-info/" not in name}
        assert found == files | {stamp} | {f"cext/{name}" for name in compiled}
    with tarfile.open(only(dist, "*.tar.gz")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert files | {stamp, "setup.py", "pyproject.toml", "PKG-INFO"} <= names
    assert not any(name.startswith(("tests", "build")) for name in names)


def test_the_same_commit_makes_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    """P-381: in another folder."""
    made_again = tmp_path / "somewhere/else"
    subprocess.run(
        [str(ROOT / "deploy/package/wheel.sh"), sys.executable, str(made_again)],
        cwd=ROOT, env={"PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": str(program.built_s())}, check=True, timeout=600,
    )  # fmt: skip
    for one in made_again.iterdir():
        assert one.read_bytes() == (dist / one.name).read_bytes(), one.name


def operators_files(folder: Path, port: int, sender: Sender) -> None:
    """What an operator puts into /etc/wattline."""
    write_config(folder, port, [sender])
    config = folder / "gateway.toml"
    config.write_text(config.read_text().replace('"data"', '"/var/lib/wattline"'))


def test_the_debian_package_works_in_a_clean_debian(dist: Path, clean_root: CleanRoot, tmp_path: Path) -> None:
    """P-382: installed, configured, a terminal's frame acknowledged; installed again; purged, with its data left."""
    root, sender = clean_root, Sender()
    deb = root.take(only(dist, "*.deb"))
    root.run("dpkg", "--force-unsafe-io", "--install", deb)
    assert program.this().text() in root.run("wattline", "--version")
    etc, data = root.folder / "etc/wattline", root.folder / "var/lib/wattline"
    assert "mqtt.password" in root.run(
        "wattline", "gateway", "check", "--config", "/etc/wattline/gateway.toml", status=1
    )
    with Broker(mosquitto(), tmp_path / "broker") as broker:
        broker.start()
        operators_files(etc, broker.port, sender)
        root.run("chgrp", "--recursive", "wattline", "/etc/wattline")
        root.run("chmod", "640", f"/etc/wattline/{sender.name}.hex")
        as_service = ("runuser", "-u", "wattline", "--", "wattline", "gateway")
        root.run(*as_service, "check", "--config", "/etc/wattline/gateway.toml")
        command = root.command(*as_service, "run", "--config", "/etc/wattline/gateway.toml")
        with Process("gateway", command, tmp_path / "gateway.log") as gateway:
            gateway.start()
            takes_a_frame(gateway, broker.port, sender)
            gateway.stop()
    root.run("dpkg", "--force-unsafe-io", "--install", deb)
    assert "/var/lib/wattline" in (etc / "gateway.toml").read_text(), "an operator's file is as it was"
    assert "windows 1" in root.run("wattline", "gateway", "status", "--config", "/etc/wattline/gateway.toml")
    assert "are left" in root.run("dpkg", "--purge", "wattline-gateway")
    assert (data / "journal.sqlite3").stat().st_size > 0
    assert not (root.folder / "usr/lib/wattline").exists()


def test_the_wheel_installs_without_a_network(dist: Path, tmp_path: Path) -> None:
    """P-383: gateway and technician's tool; of the wheel for any machine the tool alone, which says so."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True, timeout=300)
    own = tmp_path / "bin-less"
    own.mkdir()
    pip = [
        str(tmp_path / "venv/bin/pip"),
        "--disable-pip-version-check",
        "install",
        "--quiet",
        "--no-index",
        "--no-compile",
    ]
    run = [str(tmp_path / "venv/bin/wattline")]

    def says(*words: str) -> tuple[int, str]:
        done = subprocess.run(
            [*run, *words],
            cwd=own,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        return done.returncode, done.stdout

    wheels = ["--find-links", str(WHEELS)]
    linux = f"wattline[console,field] @ {only(dist, '*-linux_*.whl').as_uri()}"
    subprocess.run([*pip, *wheels, linux], check=True, timeout=300)
    assert says("--version") == (0, f"wattline {program.this().text()}\n")
    assert says("field", "image", "--board", "rp2")[0] == 0
    shutil.copytree(ROOT / "deploy/example", own / "example")
    status, said = says("gateway", "check", "--config", "example/gateway.toml")
    assert (status, "T0001" in said) == (1, True), said  # its key is the operator's to make
    subprocess.run([*pip, "--no-deps", "--force-reinstall", str(only(dist, "*-any.whl"))], check=True, timeout=300)
    assert says("field", "profiles")[0] == 0
    status, said = says("gateway", "--help")
    assert (status, "needs the compiled decoder" in said) == (2, True), said
