"""The clean Debian's Python where Debian has no package of this version (deploy/setup/root.sh)."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway.support import ROOT


@pytest.mark.slow
def test_a_python_that_debian_does_not_have_is_packaged_whole(tmp_path: Path) -> None:
    """P-382: it starts from where the package puts it, with the libraries that came along."""
    (tmp_path / "root").mkdir()
    script = ROOT / "deploy/setup/python_deb.sh"
    subprocess.run([str(script), sys.executable, str(tmp_path / "root"), str(tmp_path)], check=True, timeout=300)
    (deb,) = tmp_path.glob("*.deb")
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    field = subprocess.run(["dpkg-deb", "--field", str(deb), "Package"], capture_output=True, text=True, check=True)
    assert (deb.stem, field.stdout.strip()) == (name, name)
    placed = tmp_path / "placed"
    subprocess.run(["dpkg", "-x", str(deb), str(placed)], check=True, timeout=300)
    (libraries,) = {one.parent for one in placed.glob("usr/lib/*/libc.so.6")}
    done = subprocess.run(
        [str(placed / "usr/bin" / name), "-I", "-c", "import ctypes, lzma, sqlite3, ssl, sys; print(sys.prefix)"],
        env={"LD_LIBRARY_PATH": str(libraries)}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (f"{placed}/usr\n", "")
    shutil.rmtree(placed)  # no file of ours, for S-20 to search
    deb.unlink()
