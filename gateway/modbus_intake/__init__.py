"""Frames fetched from terminals' mailboxes over Modbus TCP and RTU (protocol/MAILBOX.md): the other intake.

Its packages come with the extra `wattline[modbus]`; this module imports none of them, so that a gateway without Modbus
lines does without.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from gateway.config import ModbusConfig
from gateway.registry import Registry
from protocol.host.strict import Problem

EXTRA = "wattline[modbus]"


def problems(path: Path, lines: Sequence[ModbusConfig], registry: Registry) -> list[Problem]:
    """What stands against polling these lines, but for the file's own checks; nothing is opened."""
    needed = {"pymodbus"} if lines else set()
    if any(line.serial for line in lines):
        needed.add("serial")
    found = [
        Problem(path, "modbus", f"needs a package / 需要软件包 {name}; run / 请运行: pip install '{EXTRA}'")
        for name in sorted(needed)
        if find_spec(name) is None
    ]
    for number, line in enumerate(lines):
        for index, one in enumerate(line.terminals):
            if registry.get(one.id) is None:
                text = f"{one.id}: not admitted / 未登记; allowed / 允许: the id of a terminal of terminals.toml"
                found.append(Problem(path, f"modbus[{number}].terminals[{index}].id", text))
    return found
