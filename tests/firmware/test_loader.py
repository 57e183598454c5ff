"""What begins an application, on the real VM, without the rest of a terminal."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from loader import slots, start

from firmware import image

NUMBER = 1_790_000_000
SAYS = "def main(slots):\n    print('runs', slots.number, slots.on_trial, __file__)\n"
GUARDED = (
    "import ffi\n"
    "def main(slots):\n"
    "    print('ends in', ffi.open('libc.so.6').func('I', 'alarm', 'I')(0))\n"
)  # fmt: skip
READ_ONLY = """import vfs
from loader import console
class Blocks:
    content = bytearray(16384)
    def readblocks(self, block, data, offset=0):
        data[:] = self.content[512 * block + offset:][:len(data)]
    def writeblocks(self, block, data, offset=0):
        self.content[512 * block + offset:512 * block + offset + len(data)] = data
    def ioctl(self, what, _):
        return {4: 32, 5: 512, 6: 0}.get(what)
vfs.VfsLfs2.mkfs(Blocks())
vfs.mount(vfs.VfsLfs2(Blocks()), '/flash')
console.open_next('/flash/', 7)
vfs.umount('/flash')
vfs.mount(vfs.VfsLfs2(Blocks()), '/flash', readonly=True)
print('opened for', console.take_opening('/flash/'))
vfs.umount('/flash')
vfs.mount(vfs.VfsLfs2(Blocks()), '/flash')
print('opened for', console.take_opening('/flash/'))
print('opened for', console.take_opening('/flash/'))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image") / "root"
    image.build("unix", folder, (1, 0, 0), NUMBER)
    return folder


def root_of(made: Path, folder: Path, **begins: str) -> Path:
    """A board's root, whose applications begin with these sources; `root`, `a`, `b`."""
    shutil.copytree(made, folder / "root")
    for name, source in begins.items():
        own = folder / "root" / ("" if name == "root" else name)
        if name != "root":
            shutil.copytree(made / "terminal", own / "terminal")
            shutil.copytree(made / "boards", own / "boards")
            shutil.copytree(made / "protocol", own / "protocol")
        (own / "terminal/begin.mpy").unlink()
        (own / "terminal/begin.py").write_text(source, encoding="utf-8")
    return folder / "root"


def begin(root: Path, vm: str = "vm64") -> tuple[int, str]:
    """One start: (status, what it said)."""
    done = subprocess.run(
        [image.ROOT / "build" / vm / "micropython", root / "main.py"],
        env={**os.environ, "MICROPYPATH": f"{root}:.frozen"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def boot_record(root: Path) -> slots.Slots:
    return slots.Slots(f"{root}/", NUMBER)


@pytest.mark.parametrize("vm", ["vm64", "vm32"])
def test_what_the_boot_record_names_runs_with_its_own_modules(made: Path, tmp_path: Path, vm: str) -> None:
    """P-263"""
    root = root_of(made, tmp_path, root=SAYS, a=SAYS)
    assert begin(root, vm) == (0, f"runs {NUMBER} False {root}/terminal/begin.py\n")
    boot_record(root).take(1, NUMBER + 1)
    assert begin(root, vm) == (0, f"runs {NUMBER + 1} True {root}/a/terminal/begin.py\n")
    record = boot_record(root)
    assert record.passed()
    assert begin(root, vm) == (0, f"runs {NUMBER + 1} False {root}/a/terminal/begin.py\n")


@pytest.mark.parametrize(
    "source",
    [
        "raise ValueError\n",
        "import no_such_module\n",
        "def main(:\n",
        "",
        "import sys\ndef main(_):\n    sys.exit(2)\n",
    ],
)
def test_what_cannot_begin_on_trial_is_given_up_and_the_other_runs(made: Path, tmp_path: Path, source: str) -> None:
    """R-23 P-263: whatever is wrong with it, one that finds its configuration wrong included."""
    root = root_of(made, tmp_path, root=SAYS, a=source)
    boot_record(root).take(1, NUMBER + 1)
    assert begin(root)[0] != 0
    assert begin(root) == (0, f"runs {NUMBER} False {root}/terminal/begin.py\n")
    assert boot_record(root).to_tell() == (True, True)


def test_what_cannot_be_guarded_on_trial_is_given_up_and_the_other_runs(made: Path, tmp_path: Path) -> None:
    """R-23 P-263: a port without the timer."""
    root = root_of(made, tmp_path, root=SAYS, a=SAYS)
    boot_record(root).take(1, NUMBER + 1)
    (root / "loader/guard.mpy").unlink()
    (root / "loader/guard.py").write_text("def start(_):\n    raise ValueError\n", encoding="utf-8")
    assert begin(root)[0] == 1
    assert begin(root) == (0, f"runs {NUMBER} False {root}/terminal/begin.py\n")


def test_a_flash_that_takes_nothing_does_not_open_the_console_at_every_start(made: Path, tmp_path: Path) -> None:
    """R-23: the application runs, closed."""
    root = root_of(made, tmp_path, root=SAYS)
    (root / "main.py").write_text(READ_ONLY, encoding="utf-8")
    assert begin(root) == (0, "opened for 0\nopened for 7\nopened for 0\n")


def test_where_the_console_is_closed_an_application_that_returns_is_a_start_anew(made: Path, tmp_path: Path) -> None:
    """S-26: and no prompt."""
    root = root_of(made, tmp_path, root=SAYS)
    (root / "closed").touch()
    assert begin(root) == (1, f"runs {NUMBER} False {root}/terminal/begin.py\n")


def test_a_start_on_trial_is_guarded_and_a_guard_ends_what_hangs(made: Path, tmp_path: Path) -> None:
    """R-23: before a watchdog of the application's own is there."""
    root = root_of(made, tmp_path, a=GUARDED)
    record = boot_record(root)
    record.take(1, NUMBER + 1)
    said = begin(root)[1]
    assert said in {f"ends in {left}\n" for left in range(1, start.TRIAL_GUARD_S + 1)}
    (root / "main.py").write_text("import time\nfrom loader import guard\nguard.start(1)\ntime.sleep(30)\n")
    assert begin(root)[0] == -signal.SIGALRM
    (root / "main.py").write_text(f"from loader import guard\nguard.start(30)\nguard.stop()\n{GUARDED}main(None)\n")
    assert begin(root) == (0, "ends in 0\n")
