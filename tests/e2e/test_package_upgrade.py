"""An upgrade that is refused: what runs finds its files until it is restarted."""

import subprocess
from pathlib import Path

import pytest

from tests.e2e.clean_root import CleanRoot
from tests.gateway.support import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.untimed]

SCRIPTS = ROOT / "deploy/package/debian"
# systemd as the package sees it: all but the console run until /stopped is there; drop-ins give it a key in each way.
# /refused: what systemctl refuses, as systemd 252 refuses to restart a unit that is masked, whether or not it runs.
SYSTEMCTL = """\
#!/bin/sh
echo "$@" >>/said
[ "$1" != is-active ] || [ ! -e /stopped ] || exit 3
[ "$1 $2" != 'is-active wattline-console.service' ] || { echo inactive; exit 3; }
[ ! -e /refused ] || ! echo "$@" | grep -qf /refused || { echo "Failed to $1 $2: Unit $2 is masked." >&2; exit 1; }
[ "$1" != cat ] || printf '%s\\n' \\
    '[Service]' Environment=WATTLINE_ROLE=run LoadCredential=wattline-keys:/key ExecStart=/x
"""
RUN = '#!/bin/sh\nfor word in "$@"; do echo "run $word" >>/said; done\nexit "$(cat /status)"\n'


def package(folder: Path, version: str) -> Path:
    """The package's scripts around a program of two files."""
    tree, name = folder / version, f"{version}-commit"
    home = tree / "usr/lib/wattline" / name
    home.mkdir(parents=True)
    (home / "pyvenv.cfg").touch()
    (home / "imported_late.py").write_text(version)
    (home.parent / "wattline").write_text(f"#!/bin/sh\nexec /usr/lib/wattline/{name}/bin/python3\n")
    (tree / "etc/wattline").mkdir(parents=True)
    (tree / "DEBIAN").mkdir()
    fields = {"Package": "wattline-gateway", "Version": version, "Architecture": "all"}
    fields |= {"Maintainer": "x <x@localhost>", "Description": "x"}
    (tree / "DEBIAN/control").write_text("".join(f"{key}: {value}\n" for key, value in fields.items()))
    for script in SCRIPTS.glob("p*"):
        (tree / "DEBIAN" / script.name).write_bytes(script.read_bytes())
        (tree / "DEBIAN" / script.name).chmod(0o755)
    made = folder / f"{version}.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(made)], check=True, timeout=60
    )
    return made


@pytest.fixture
def root(clean_root: CleanRoot) -> CleanRoot:
    """A Debian on which systemd runs."""
    (clean_root.folder / "run/systemd/system").mkdir(parents=True)
    for name, text in (("systemctl", SYSTEMCTL), ("systemd-run", RUN)):
        (clean_root.folder / "usr/bin" / name).write_text(text)
        (clean_root.folder / "usr/bin" / name).chmod(0o755)
    return clean_root


def test_what_systemd_refuses_leaves_a_package_that_is_configured(root: CleanRoot, tmp_path: Path) -> None:
    """P-496: a unit that is masked, systemd that does not answer: what is left is named, and its files stay."""
    (root.folder / "status").write_text("0\n")
    install = ("dpkg", "--force-unsafe-io", "--install")
    root.run(*install, root.take(package(tmp_path, "1")))
    (root.folder / "refused").write_text("^try-restart wattline-[wc]\n^daemon-reload")
    output = root.run(*install, root.take(package(tmp_path, "2")))
    (told,) = [line for line in output.splitlines() if "was not restarted" in line]
    assert told.endswith("then: systemctl unmask wattline-watch.service && systemctl restart wattline-watch.service")
    assert "do this again / 请重新执行: systemctl daemon-reload" in output
    said = root.folder / "said"
    restarted = [line for line in said.read_text().splitlines() if line.startswith("try-restart")]
    assert restarted == ["try-restart wattline-gateway.service", "try-restart wattline-watch.service"]
    assert root.run("dpkg-query", "--show", "--showformat", "${db:Status-Status}", "wattline-gateway") == "installed"
    programs = root.folder / "usr/lib/wattline"
    assert sorted(one.parent.name for one in programs.glob("*/pyvenv.cfg")) == ["1-commit", "2-commit"]
    (root.folder / "refused").write_text("^disable --now wattline-[gw]\n^stop wattline-watch\n^daemon-reload")
    said.unlink()
    output = root.run("dpkg", "--purge", "wattline-gateway")
    (left,) = [line for line in output.splitlines() if "is left as it is" in line]
    assert left.startswith("wattline: wattline-watch.service is left as it is; is it stopped?")
    assert "\nstop wattline-gateway.service\n" in said.read_text()
    assert "disable --now wattline-backup.timer" in said.read_text()
    assert not programs.exists()


def test_what_runs_keeps_its_files_until_it_is_restarted(root: CleanRoot, tmp_path: Path) -> None:
    """P-460: of an upgrade that is refused or cut off, and of one after it; the check has what a drop-in gives, too."""
    status, said = root.folder / "status", root.folder / "said"

    def homes(version: str, checked: int, *, cut_off: bool = False) -> dict[str, str]:
        """What of each program can still be imported, after this one was installed, at once or after it was cut off."""
        status.write_text(f"{checked}\n")
        said.write_text("")
        deb = root.take(package(tmp_path, version))
        if cut_off:
            root.run("dpkg", "--force-unsafe-io", "--unpack", deb)
        root.run("dpkg", "--force-unsafe-io", "--install", deb)
        found = (root.folder / "usr/lib/wattline").glob("*/imported_late.py")
        assert not (root.folder / "usr/lib/wattline/.kept").exists()
        return {one.parent.name: one.read_text() for one in found}

    assert homes("1", 0) == {"1-commit": "1"}
    assert homes("2", 1, cut_off=True) == {"1-commit": "1", "2-commit": "2"}, "1 runs on"
    assert "try-restart" not in said.read_text()
    assert homes("3", 1) == {"1-commit": "1", "2-commit": "2", "3-commit": "3"}, "1 still runs"
    assert homes("4", 0) == {"4-commit": "4"}, "nothing runs of them any more"
    words = [line.removeprefix("run ") for line in said.read_text().splitlines() if line.startswith("run ")]
    given = ["--property=Environment=WATTLINE_ROLE=run", "--property=LoadCredential=wattline-keys:/key"]
    check = ["/usr/bin/wattline", "gateway", "check", "--config", "/etc/wattline/gateway.toml"]
    assert words[2:] == ["--wait", "--property=User=wattline", *given, *check]
    assert "try-restart" in said.read_text()
    assert homes("5", 1) == {"4-commit": "4", "5-commit": "5"}
    (root.folder / "stopped").touch()
    assert homes("6", 1) == {"6-commit": "6"}, "nothing runs"
    assert "try-restart" not in said.read_text()
    root.run("dpkg", "--purge", "wattline-gateway")
    assert not (root.folder / "usr/lib/wattline").exists()
