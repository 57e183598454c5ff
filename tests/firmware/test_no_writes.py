"""S-18 over the source: what goes out on a meters' bus is made in two functions, and goes out in one."""

import ast
from collections.abc import Iterator
from pathlib import Path

from terminal import dlt645, modbus, profile

from firmware import DEVICE

SOURCES = sorted(DEVICE.rglob("*.py"))
PROTOCOLS = [DEVICE / "terminal" / name for name in ("modbus.py", "dlt645.py")]


def calls(file: Path) -> Iterator[tuple[str, str, ast.Call]]:
    """(the function it stands in, what is called, the call), for every call in a file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for function in ast.walk(tree):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for node in ast.walk(function):
                if isinstance(node, ast.Call):
                    yield function.name, ast.unparse(node.func), node


def test_only_the_bus_writes_to_a_meters_uart_and_only_a_requests_bytes() -> None:
    """S-18"""
    found = [
        (file.name, function, ast.unparse(call.args[0]))
        for file in SOURCES
        if file.parent.name == "terminal"
        for function, called, call in calls(file)
        if called.endswith("uart.write")
    ]
    # the other port is the uplink's, on which the terminal is the slave and answers
    assert found == [("bus.py", "_exchange", "request.raw"), ("modbus_task.py", "_serve_line", "answer")]


def test_a_request_is_made_in_one_function_of_each_protocol() -> None:
    """S-18: and that function takes no function code but those of reading (tests/vm)."""
    for file in PROTOCOLS:
        makers = {function for function, called, _ in calls(file) if called == "Request"}
        assert makers == {"read_request"}, file
    others = [
        file.name for file in SOURCES for _, called, _ in calls(file) if called.endswith((".Request", "_replace"))
    ]
    assert others == []


def test_the_protocols_of_a_bus_are_these_and_know_reading_alone() -> None:
    """S-18"""
    assert {"modbus-rtu": modbus, "dlt645": dlt645} == profile.PROTOCOLS
    names = {name: getattr(modbus, name) for name in dir(modbus) if name.startswith(("READ", "WRITE"))}
    assert names == {"READ_HOLDING": 3, "READ_INPUT": 4}
    names = {name: getattr(dlt645, name) for name in dir(dlt645) if name.startswith(("READ", "WRITE"))}
    assert names == {"READ_DATA": 0x11, "READ_FOLLOWING": 0x12}
