"""Ports that are given before their servers bind them."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hil import ports
from hil.ports import free_port, wait_for_port
from hil.process import BenchError, Process

ENDS = "import sys; sys.exit('address in use')"
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_no_port_is_given_twice_and_none_that_the_kernel_gives_to_whoever_connects() -> None:
    """A connection of another program can't take a port between its choice and its server's start."""
    given = [free_port() for _ in range(50)]
    assert len(set(given)) == len(given)
    first = int(RANGE.read_text(encoding="ascii").split()[0])
    assert all(port < first for port in given)
    for port in given:
        socket.create_server(("127.0.0.1", port)).close()


def test_a_port_that_somebody_listens_on_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = free_port()
    monkeypatch.setattr(ports, "_claim", lambda _port: True)
    monkeypatch.setattr(ports, "BELOW", 1)
    monkeypatch.setattr(ports, "_ephemeral_first", lambda: wanted + 1)
    with socket.create_server(("127.0.0.1", wanted)), pytest.raises(OSError, match="no free port"):
        free_port()
    assert free_port() == wanted


def test_a_port_is_given_to_no_other_bench_while_its_server_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [sys.executable, "-c", "from hil.ports import free_port; print(free_port()); input()"]
    with subprocess.Popen(asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin
        assert other.stdout
        theirs = int(other.stdout.readline())
        monkeypatch.setattr(ports, "BELOW", 1)
        monkeypatch.setattr(ports, "_ephemeral_first", lambda: theirs + 1)
        with pytest.raises(OSError, match="no free port"):
            free_port()
        other.stdin.write("\n")
    assert free_port() == theirs, "it is nobody's any more"


def test_a_server_whose_port_somebody_else_has_is_not_taken_for_ready(tmp_path: Path) -> None:
    port = free_port()
    with (
        socket.create_server(("127.0.0.1", port)),
        Process("late", [sys.executable, "-c", ENDS], tmp_path / "log") as one,
    ):
        one.start()
        with pytest.raises(BenchError, match="late does not listen"):
            wait_for_port(one, port)


def test_a_server_is_ready_when_it_listens(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-c", f"import socket, time; one = socket.create_server(('', {port})); time.sleep(60)"]
    with Process("server", command, tmp_path / "log") as one:
        one.start()
        wait_for_port(one, port)
        socket.create_connection(("127.0.0.1", port)).close()
