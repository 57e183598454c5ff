"""The disk that loses what was not synced: what it keeps, what it may lose, and how it fails."""

import errno
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hil.disk import Disk

pytestmark = pytest.mark.slow
SEEDS = range(14)


def run(disk: Disk, program: str, die_at: int | None = None) -> "subprocess.CompletedProcess[str]":
    """A Python program, its working folder being the disk's."""
    command = [sys.executable, "-S", "-c", f"import os, errno\nF = {str(disk.folder)!r} + '/'\n{program}"]
    return subprocess.run(
        command, env={**os.environ, **disk.env(die_at)}, capture_output=True, text=True, timeout=60, check=False
    )


def after(program: str, tmp_path: Path, content: dict[str, bytes] | None = None) -> set[tuple[tuple[str, bytes], ...]]:
    """Every state in which the folder was found after a cut that followed the program."""
    seen = set()
    for seed in SEEDS:
        folder = tmp_path / f"d{seed}"
        folder.mkdir(parents=True)
        for name, data in (content or {}).items():
            (folder / name).write_bytes(data)
        disk = Disk(folder)
        done = run(disk, program)
        assert done.returncode == 0, done.stderr
        disk.cut(random.Random(seed))
        seen.add(tuple(sorted((one.name, one.read_bytes()) for one in folder.iterdir())))
    return seen


SYNC_FOLDER = "d = os.open(F, os.O_RDONLY); os.fsync(d); os.close(d)\n"


def test_what_was_synced_is_there_whatever_happens(tmp_path: Path) -> None:
    """R-07"""
    write = "f = os.open(F + 'a', os.O_CREAT | os.O_RDWR)\nos.pwrite(f, b'x' * 3000, 0); os.fdatasync(f)\n"
    assert after(write + SYNC_FOLDER, tmp_path) == {(("a", b"x" * 3000),)}


def test_what_was_not_synced_is_there_in_any_part(tmp_path: Path) -> None:
    """R-07"""
    program = "f = os.open(F + 'a', os.O_RDWR)\nos.pwrite(f, b'y' * 2048, 512)\n"
    seen = {files[0][1] for files in after(program, tmp_path, {"a": b"x" * 2560})}
    assert {b"x" * 2560, b"x" * 512 + b"y" * 2048} < seen
    assert len(seen) > 4
    for data in seen:
        sectors = [data[at : at + 512] for at in range(0, 2560, 512)]
        assert sectors[0] == b"x" * 512
        assert set(sectors) <= {b"x" * 512, b"y" * 512}


def test_a_new_name_a_new_content_and_a_new_size_may_each_be_lost(tmp_path: Path) -> None:
    """R-07"""
    synced = "f = os.open(F + 'new', os.O_CREAT | os.O_RDWR)\nos.pwrite(f, b'x' * 100, 0); os.fsync(f)\n"
    assert after(synced, tmp_path / "name") == {(), (("new", b"x" * 100),)}
    unsynced = "f = os.open(F + 'new', os.O_CREAT | os.O_RDWR)\nos.pwrite(f, b'x' * 100, 0)\n"
    assert after(unsynced + SYNC_FOLDER, tmp_path / "content") == {(("new", b""),), (("new", b"x" * 100),)}
    shorter = "f = os.open(F + 'a', os.O_RDWR)\nos.ftruncate(f, 10)\n"
    assert after(shorter, tmp_path / "size", {"a": b"x" * 100}) == {(("a", b"x" * 10),), (("a", b"x" * 100),)}
    assert after(shorter + "os.fdatasync(f)", tmp_path / "s", {"a": b"x" * 100}) == {(("a", b"x" * 10),)}


def test_a_file_that_was_replaced_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    """R-07"""
    program = (
        "f = os.open(F + 'partial', os.O_CREAT | os.O_RDWR)\nos.write(f, b'new'); os.fsync(f)\n"
        "os.rename(F + 'partial', F + 'a')\n"
    )
    assert after(program, tmp_path / "1", {"a": b"old"}) == {(("a", b"old"),), (("a", b"new"),)}
    assert after(program + SYNC_FOLDER, tmp_path / "2", {"a": b"old"}) == {(("a", b"new"),)}
    gone = "os.unlink(F + 'a')\n"
    assert after(gone, tmp_path / "3", {"a": b"old"}) == {(("a", b"old"),), ()}
    assert after(gone + SYNC_FOLDER, tmp_path / "4", {"a": b"old"}) == {()}


def test_a_number_that_is_used_again_does_not_bring_back_another_files_content(tmp_path: Path) -> None:
    program = (
        "f = os.open(F + 'a', os.O_CREAT | os.O_RDWR)\nos.write(f, b'secret'); os.fsync(f); os.close(f)\n"
        f"{SYNC_FOLDER}"
        "os.unlink(F + 'a')\n"
        "for n in range(50): os.close(os.open(F + 'b%d' % n, os.O_CREAT | os.O_RDWR))\n"
    )
    for files in after(program + SYNC_FOLDER, tmp_path):
        assert {data for _, data in files} == {b""}


def test_a_slow_disk_takes_its_time_for_each_call(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "d")
    program = (
        "import time\nbegan = time.monotonic()\nopen(F + 'a', 'wb', 0).write(b'x')\nprint(time.monotonic() - began)\n"
    )
    disk.slow(100)
    assert float(run(disk, program).stdout) >= 0.2
    disk.slow(None)
    assert not list(tmp_path.glob("d.slow*"))


def test_more_files_than_can_be_unsynced_at_once_are_written_one_after_another(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "d")
    program = (
        "for n in range(1200):\n"
        "    f = os.open(F + str(n), os.O_CREAT | os.O_RDWR)\n"
        "    os.write(f, b'x'); os.fsync(f); os.close(f)\n"
    )
    assert run(disk, program).returncode == 0


def test_a_process_dies_at_the_call_that_it_was_told(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "d")
    program = "f = os.open(F + 'a', os.O_CREAT | os.O_RDWR)\nfor n in range(9): os.write(f, b'%d' % n)\n"
    for calls in range(1, 11):
        done = run(disk, program, die_at=calls)
        assert done.returncode == -signal.SIGKILL
        assert ((disk.folder / "a").read_bytes() if calls > 1 else b"") == b"012345678"[: max(0, calls - 2)]
        (disk.folder / "a").unlink(missing_ok=True)
    assert run(disk, program, die_at=11).returncode == 0


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS])
def test_a_disk_that_fails_does_so_until_it_is_well_again(tmp_path: Path, number: int) -> None:
    disk = Disk(tmp_path / "d")
    program = (
        "failed = []\n"
        "def attempt(call, *args):\n"
        "    try: return call(*args)\n"
        "    except OSError as error: failed.append(error.errno)\n"
        "f = os.open(F + 'there', os.O_RDWR)\n"
        "attempt(os.write, f, b'x'); attempt(os.pwrite, f, b'x', 0); attempt(os.ftruncate, f, 1)\n"
        "attempt(os.fsync, f); attempt(os.fdatasync, f); attempt(os.open, F + 'new', os.O_CREAT | os.O_RDWR)\n"
        "print(failed, os.pread(f, 9, 0)); open(F + '../elsewhere', 'w').write('x')\n"
    )
    (disk.folder / "there").write_bytes(b"old")
    disk.fail(number)
    done = run(disk, program)
    assert done.stdout == f"{[number] * 6} b'old'\n", done.stderr
    disk.fail(None)
    assert run(disk, program).stdout == "[] b'x'\n"
