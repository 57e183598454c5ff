"""`python -m tests.deploy.sandbox UNIT COMMAND...`: run a command under what the unit allows it, as systemd would.

Played by seccomp, for whoever has no systemd as process 1: SystemCallFilter=, RestrictAddressFamilies=,
MemoryDenyWriteExecute=, LimitNOFILE=. What is refused gets an error, and the command goes on as it can.
"""

import ctypes
import errno
import os
import platform
import re
import resource
import socket
import struct
import subprocess
import sys
from pathlib import Path

from tests.gateway.support import ROOT

ANALYZE = str(ROOT / "build/tools/systemd-analyze")
MACHINE = "x86_64"
_HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
_NO_NEW_PRIVS, _SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x45, 0x54, 0x06  # BPF: ld [k], jeq, jset, and, ret
_NUMBER, _FIRST, _THIRD = 0, 16, 32  # of struct seccomp_data: the call, the low half of its arguments
_WRITE, _EXEC = 2, 4

Program = list[tuple[int, int, int, int]]  # code, jump if true, jump if false, operand


def settings(unit: Path) -> dict[str, list[str]]:
    """What stands in [Service], each value of a name that is there more than once."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text(encoding="utf-8").partition("[Service]")[2].splitlines():
        name, is_one, value = line.partition("=")
        if is_one and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def calls_of(words: list[str]) -> set[str]:
    """The system calls that SystemCallFilter= lines allow."""
    allowed: set[str] = set()
    for line in words:
        named = set[str]().union(*(_members(word) for word in line.removeprefix("~").split()))
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed


def _members(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    done = subprocess.run([ANALYZE, "syscall-filter", "--no-pager", name], capture_output=True, text=True, check=True)
    members = [line.strip() for line in done.stdout.splitlines()[1:]]
    return set[str]().union(*(_members(one) for one in members if one and not one.startswith("#")))


def program(unit: dict[str, list[str]]) -> Program:
    """The filter that plays these settings."""
    numbers = {name: int(n) for name, n in re.findall(r"#define __NR_(\w+) (\d+)", _HEADER.read_text(encoding="ascii"))}
    made: Program = [(_LOAD, 0, 0, _NUMBER)]
    if unit["MemoryDenyWriteExecute"] == ["yes"]:
        both = _WRITE | _EXEC
        look = [(_LOAD, 0, 0, _THIRD), (_AND, 0, 0, both), (_EQUAL, 0, 1, both), _refuse(errno.EPERM)]
        made += [(_EQUAL, 0, len(look) + 1, numbers["mmap"]), *look, (_LOAD, 0, 0, _NUMBER)]
        for name in ("mprotect", "pkey_mprotect"):
            look = [(_LOAD, 0, 0, _THIRD), (_ANY_BIT, 0, 1, _EXEC), _refuse(errno.EPERM)]
            made += [(_EQUAL, 0, len(look) + 1, numbers[name]), *look, (_LOAD, 0, 0, _NUMBER)]
    families = [getattr(socket, one) for one in unit["RestrictAddressFamilies"][0].split() if one != "none"]
    look = [(_LOAD, 0, 0, _FIRST), *((_EQUAL, len(families) - n, 0, one) for n, one in enumerate(families))]
    look += [_refuse(errno.EAFNOSUPPORT)]
    made += [(_EQUAL, 0, len(look) + 1, numbers["socket"]), *look, (_LOAD, 0, 0, _NUMBER)]
    for name in calls_of(unit["SystemCallFilter"]) & numbers.keys():
        made += [(_EQUAL, 0, 1, numbers[name]), (_RETURN, 0, 0, _ALLOW)]
    return [*made, _refuse(getattr(errno, unit["SystemCallErrorNumber"][0]))]


def _refuse(number: int) -> tuple[int, int, int, int]:
    return (_RETURN, 0, 0, _ERROR | number)


def main() -> None:
    """See above."""
    if platform.machine() != MACHINE:
        raise SystemExit(f"{platform.machine()}: the sandbox has the system calls' numbers of {MACHINE} alone")
    unit = settings(Path(sys.argv[1]))
    if "LimitNOFILE" in unit:
        limit = min(int(unit["LimitNOFILE"][0]), resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    packed = b"".join(struct.pack("=HBBI", *one) for one in program(unit))
    held = ctypes.create_string_buffer(packed)
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(packed) // 8, ctypes.addressof(held)))
    libc = ctypes.CDLL(None, use_errno=True)
    for words in ((_NO_NEW_PRIVS, 1, 0, 0, 0), (_SECCOMP, _FILTER, ctypes.addressof(header), 0, 0)):
        if libc.prctl(*(ctypes.c_ulong(word) for word in words)) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606  (this process is what is confined)


if __name__ == "__main__":
    main()
