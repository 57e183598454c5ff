"""The search for keys in what tests leave behind (S-20) finds them: else its silence would mean nothing."""

import base64
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import failures
from tests.gateway.support import ROOT
from tests.leaks import HOMES, Notes, Search, forms_of

KEY = bytes(range(100, 164, 2))
FLAT = b"\xa7" * 32  # no key of a test
PASSWORD = b"of no other test"
SECRETS = [(KEY, "key of frames"), (FLAT, "key of frames"), (PASSWORD, "password of a file")]
WAYS = {
    "raw": KEY,
    "hex": KEY.hex().encode(),
    "upper hex": KEY.hex().upper().encode(),
    "hex dump": KEY.hex(" ").encode(),
    "base64": base64.b64encode(KEY),
    "base64 for addresses": base64.urlsafe_b64encode(b"ab" + KEY + b"c"),
    "base64 of more": base64.b64encode(b"a" + KEY + b"bcd"),
    "base32": base64.b32encode(KEY),
    "list": str(list(KEY)).encode(),
    "repr": repr(KEY).encode(),
    "flat hex": FLAT.hex().encode(),
    "password": PASSWORD,
}


@pytest.mark.parametrize("way", WAYS)
def test_each_form_of_a_key_is_found_in_the_middle_of_anything(way: str, tmp_path: Path) -> None:
    """S-20."""
    chance = random.Random(way)
    (tmp_path / "folder").mkdir()
    file = tmp_path / "folder" / "gateway.log"
    file.write_bytes(chance.randbytes(100_000) + b"=" + WAYS[way] + b"=" + chance.randbytes(100_000))
    found = list(Search(SECRETS).below(tmp_path))
    assert found
    assert all(one.where.startswith(f"{file}, byte 1000") for one in found)
    assert KEY.hex() not in str(found)
    assert PASSWORD.decode() not in str(found)


def test_nothing_is_found_where_there_is_none_and_where_a_key_belongs(tmp_path: Path) -> None:
    """S-20: also not half of a key; a key's home is no log, no report and no store."""
    search = Search(SECRETS)
    (tmp_path / "gateway.log").write_bytes(b"".join(text[:-1] + b"~" for _, text in forms_of(KEY, is_text=False)))
    (tmp_path / "empty").touch()
    (tmp_path / "shut").write_bytes(b"of a test that takes a right away")
    (tmp_path / "shut").chmod(0)
    (tmp_path / "random").write_bytes(random.Random(1).randbytes(1 << 20))
    for home in HOMES:
        file = tmp_path / home.replace("*", "T0001")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(KEY.hex().encode())
    assert list(search.below(tmp_path)) == []
    assert not any(Path("x", name).match(home) for home in HOMES for name in ("a.log", "a.json", "a.html", "a.sqlite3"))


def test_what_stands_everywhere_by_chance_is_not_looked_for(tmp_path: Path) -> None:
    """S-20: keys that hypothesis draws, as it likes them: else a suite would fail by chance."""
    notes, drawn = (
        Notes(),
        [bytes(32), bytes(31) + b"\x01", b"\xff" * 31 + b"\x07", bytes(range(97, 129)), b"\x01" * 32, KEY],
    )
    for secret in drawn:
        notes.add(secret, "key of frames")
    assert list(notes.secrets) == drawn[-2:]
    (tmp_path / "measured.csv").write_text("1,1," * 32 + "0,0," * 32 + base64.b64encode(bytes(99)).decode())
    assert list(Search(notes.secrets.items()).below(tmp_path)) == []


LEAK = """
from protocol import mac

def test_one(tmp_path):
    key = mac.Key(bytes(range(100, 164, 2)), 1)
    (tmp_path / "report.html").write_text(repr(key))

def test_other(tmp_path):
    secret = bytes(range(100, 164, 2))
    mac.Key(secret, 1)
    WHERE
"""
ELSEWHERE = """
def test_who_notes_no_key(tmp_path):
    secret = bytes(range(100, 164, 2))
    WHERE
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("leak", "elsewhere", "workers", "said"),
    [
        ("raise ValueError('%%HEX%%')", "pass", "0", "as hex: what tests said"),
        ("(tmp_path / 'status.json').write_text(str(list(secret)))", "pass", "1", "status.json"),
        ("(tmp_path.parent.parent / 'made.json').write_text(str(list(secret)))", "pass", "1", "made.json"),
        ("pass", "(tmp_path / 'other.log').write_bytes(secret)", "2", "other.log"),
        ("pass", "raise ValueError('%%HEX%%')", "2", "as hex: what tests said"),
    ],
)
def test_a_suite_that_leaves_a_key_somewhere_fails_and_says_where(
    leak: str, elsewhere: str, workers: str, said: str, tmp_path: Path
) -> None:
    """S-20: in a file, a traceback, beside workers' folders, in another worker than the one that noted it; with workers
    and without; the key itself is not shown.
    """
    for name, text, where in (("test_leak.py", LEAK, leak), ("test_elsewhere.py", ELSEWHERE, elsewhere)):
        (tmp_path / name).write_text(text.replace("WHERE", where.replace("%%HEX%%", KEY.hex())))
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "xdist.plugin", "-q"]
    command += ["-c", str(ROOT / "pyproject.toml")]
    command += ["--basetemp", str(tmp_path / "left"), "-n", workers, "--dist", "loadfile", str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # of what this needs nothing of
    environment[failures.FILE] = str(tmp_path / "failed.txt")
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    summary = done.stdout.partition("S-20:")[2].partition("short test summary")[0]  # that is pytest's own
    assert (done.returncode, said in summary) == (1, True), done.stdout
    assert KEY.hex() not in summary
    assert re.search(rf"^S-20: .*{said}", (tmp_path / "failed.txt").read_text(), re.MULTILINE)
