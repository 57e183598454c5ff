"""Ports of loopback for servers that must know theirs before they listen. A server that can bind port 0 should."""

import random
import socket
import time
from pathlib import Path

from hil.process import BenchError, Process

# The kernel takes ports of this range for whoever connects or binds port 0: one that was free a moment ago may be taken
# when its server comes to bind it. Below the range only those listen who chose to.
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
EPHEMERAL_FIRST = 32_768  # Linux's own, where it can't be read
BELOW = 12_000  # so many ports below the range are drawn from; well-known services are farther down
PRIVILEGED = 1024  # a machine whose range begins there has no such place: then it is luck, as everywhere
LOOK_S = 0.02
LISTENS = "0A"  # a TCP socket's state in /proc
TRIES_MAX = 200  # that many taken ones in a row are no accident


def free_port() -> int:
    """A port that nobody listens on, that no living bench was given, and that the kernel gives to nobody.

    Raises OSError where none is found.
    """
    first = max(_ephemeral_first(), BELOW + PRIVILEGED)
    draw = random.SystemRandom()  # two benches at once draw apart
    for _ in range(TRIES_MAX):
        port = draw.randrange(first - BELOW, first)
        if _is_free(port) and _claim(port):
            return port
    raise OSError(f"no free port of {first - BELOW} to {first - 1} in {TRIES_MAX} tries / 找不到空闲端口")


def _ephemeral_first() -> int:
    try:
        return int(_EPHEMERAL.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return EPHEMERAL_FIRST


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _claim(port: int) -> bool:
    """Whether no process of this machine has claimed it; then it is this one's, until it ends: a server that is down
    for a while gets its port back. The claim is a name of Linux's abstract namespace, which ends with its process.
    """
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0wattline-bench-port-{port}")
    except OSError:
        claim.close()
        return False
    claim.detach()
    return True


def wait_for_port(process: Process, port: int, timeout_s: float = 60) -> None:
    """Return once this process, and no other one, listens on the port. Raises BenchError."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and process.running:
        if _listens(process.pid, port):
            return
        time.sleep(LOOK_S)
    raise BenchError(f"{process.name} does not listen on port {port} / 端口未监听: {process.tail()}")


def _listens(pid: int, port: int) -> bool:
    """Whether a process has a listening socket at this port, by what the kernel says of it."""
    try:
        own = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
        tables = [Path(f"/proc/{pid}/net/{name}").read_text(encoding="ascii") for name in ("tcp", "tcp6")]
    except OSError:
        return False  # it has just ended, or closed one of them
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    at_port = [row for row in rows if row[3] == LISTENS and int(row[1].rpartition(":")[2], 16) == port]
    return any(f"socket:[{row[9]}]" in own for row in at_port)
