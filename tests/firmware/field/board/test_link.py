"""The link to a board: the real VM with a flash of its own, behind a raw REPL on a pty."""

import contextlib
import grp
import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware.field.board import ports, raw_repl
from firmware.field.board.errors import BoardRefusedError, BoardSilentError, PortError
from firmware.field.board.link import PART, Link
from hil.board.blank import BlankBoard, blank_board

NOBODY = 65534


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlankBoard]:
    with blank_board(tmp_path_factory.mktemp("board")) as made:
        yield made


@pytest.fixture
def link(board: BlankBoard) -> Iterator[Link]:
    opened = Link(board.port)
    yield opened
    opened.close()


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=3000), name=st.text("ab'\"\\ 表", min_size=1, max_size=8))
def test_what_is_written_is_there_whatever_its_bytes_and_name(link: Link, data: bytes, name: str) -> None:
    """P-280: and its digest is the file's."""
    path = f"/one/{name}"
    link.write(path, data)
    assert link.read(path) == data
    assert link.digests("/one") == {path: hashlib.sha256(data).hexdigest()}
    link.remove(path)
    assert link.digests("/one") == {}


def test_what_the_board_raises_is_told_with_its_traceback(link: Link) -> None:
    """P-280: and costs the link nothing."""
    with pytest.raises(BoardRefusedError, match="ZeroDivisionError") as refused:
        link.run("print('before')\n1 / 0")
    assert "line 3" in refused.value.traceback
    with pytest.raises(BoardRefusedError, match="ENOENT"):
        link.read("/no/such/file")
    assert link.run("print(6 * 7)") == b"42\n" or link.run("print(6 * 7)") == b"42\r\n"


def test_a_board_that_prints_or_runs_on_is_left(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-280: bounded in bytes and in time; the next command interrupts it."""
    monkeypatch.setattr(raw_repl, "OUTPUT_BYTES_MAX", 2000)
    with pytest.raises(BoardSilentError, match="does not end"):
        link.run("while True:\n    print('again')")
    with pytest.raises(BoardSilentError, match="no prompt"):
        link.run("while True:\n    pass", timeout_s=0.1)
    assert link.run("print('here')").strip() == b"here"


def test_a_cable_that_is_pulled_in_mid_copy_leaves_the_old_file(tmp_path: Path) -> None:
    """P-281: at any byte; the same command again goes on, and the program runs at the end of each."""
    old, data = b"old", bytes(range(256)) * 20
    with blank_board(tmp_path) as board:
        with Link(board.port) as link:
            link.write("/file", old)
        for count in (1, 900, 3000, 6000):
            cut = Link(board.port)
            board.unplug_after(count)
            with pytest.raises(BoardSilentError, match="same command again"):
                cut.write("/file", data)
            cut.close()
            board.plug()
            with Link(board.port) as link:
                assert link.read("/file") == old
        with Link(board.port) as link:
            link.write("/file", data)
            assert (link.read("/file"), link.digests("/file" + PART)) == (data, {})


def test_a_watchdog_that_runs_is_fed_while_the_prompt_is_ours(board: BlankBoard, link: Link) -> None:
    """P-282: none is started where none ran; and of the program that was interrupted nothing is left in the heap."""
    chip = (
        "class WDT:\n    fed = 0\n    def __init__(self, timeout):\n        self.timeout = timeout\n"
        "    def feed(self):\n        WDT.fed += 1\n"
    )
    program = (
        "from terminal import supervisor\nsupervisor.Supervisor.feed = lambda: None\n"
        "def main():\n    while True:\n        pass\n"
    )
    link.write("/machine.py", chip.encode())
    link.restart()
    with Link(board.port) as idle:
        assert idle.run("import machine; print(machine.WDT.fed)").strip() == b"0"
        idle.write("/terminal/__init__.py", b"")
        idle.write("/terminal/supervisor.py", b"class Supervisor:\n    pass\n")
        idle.write("/main.py", program.encode())
    with Link(board.port) as watched:
        fed = [int(watched.run("import machine; print(machine.WDT.fed)")) for _ in range(3)]
        assert fed[0] > 0
        assert [fed[1] - fed[0], fed[2] - fed[1]] == [1, 1]
        assert watched.run("print('terminal.supervisor' in sys.modules)").strip() == b"False"
        watched.remove("/main.py")
        watched.remove("/machine.py")


def test_who_holds_a_port_is_named(board: BlankBoard) -> None:
    """P-283: with what to do, in both languages."""
    with Path(board.bus).open("rb") as held, subprocess.Popen(["sleep", "60"], stdin=held) as other:
        with pytest.raises(PortError, match=rf"{other.pid} \(sleep, .*占用"):
            ports.check(board.bus)
        other.kill()


def test_a_port_that_is_not_there_and_one_that_may_not_be_opened_are_named(board: BlankBoard) -> None:
    """P-283: the group that is missing, by name."""
    with pytest.raises(PortError, match="is it plugged in"):
        ports.check("/dev/ttyUSB99")
    Path(board.bus).chmod(0o600)
    if os.getuid() != 0:  # the owner is asked then
        Path(board.bus).chmod(0)
    told = _as_nobody(lambda: ports.check(board.bus))
    assert "may not be opened by this user" in told
    assert f"usermod -aG {grp.getgrgid(Path(board.bus).stat().st_gid).gr_name} " in told


def test_a_port_without_a_board_says_what_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """P-283"""
    monkeypatch.setattr(raw_repl, "PROMPT_S", 0.1)
    master, slave = os.openpty()
    name = os.ttyname(slave)
    os.close(slave)
    with pytest.raises(BoardSilentError, match="power"):
        Link(name, ready_s=0.2)
    os.close(master)


def _as_nobody(act: Callable[[], None]) -> str:
    """What a child says that has no rights: the text of its PortError."""
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            if os.getuid() == 0:
                os.setgroups([])
                os.setuid(NOBODY)
            try:
                act()
            except PortError as error:
                os.write(writes, str(error).encode())
        os._exit(0)
    os.close(writes)
    os.waitpid(child, 0)
    with open(reads, "rb") as told:  # noqa: PTH123  a descriptor
        return told.read().decode()
