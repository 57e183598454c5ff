"""A bus is searched over a real pty: who is found, in which order, and what is said of what is wrong there."""

import ast
import json
import signal
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminal.bus import Line, Meter
from terminal.bus_protocol import Read
from typer.testing import CliRunner

from firmware import DEVICE
from firmware.field.bus import order, recognise, scan, steps
from firmware.field.bus.adapter import Adapter
from firmware.field.bus.asking import GARBLED, GOT, NO_LINE, SILENT, Heard
from firmware.field.bus.points import Planned
from firmware.field.bus.reach import PROTOCOLS, WHO, Question, ReachError
from firmware.field.bus.traffic import exchange
from firmware.field.cli import app
from hil.meter_capture import Told, problem_with, told
from tests.firmware.field.bus.conftest import Meters
from tests.firmware.field.bus.scripted import Scripted

N9600, N2400 = Line(9600, "N", 1), Line(2400, "N", 1)
MODBUS_MODELS = [one.name for one in recognise.models() if one.protocol_name == "modbus-rtu"]
DLT645 = "202603010012"


@pytest.fixture(scope="module")
def port(meters: Meters) -> str:
    circuits = [{"circuit": circuit} for circuit in (1, 2)]
    models = [
        {"address": number, "profile": name, "baud": 9600, **more}
        for number, name in enumerate(MODBUS_MODELS, 1)
        for more in (circuits if name == "dtsd422" else [{}])
    ]
    other_speed = {"address": 11, "profile": "sdm630", "baud": 2400}
    twin = {"address": 12, "profile": "sdm630", "baud": 9600, "faults": [{"fault": "twin"}]}
    return meters([*models, other_speed, twin, {"address": DLT645, "profile": "dlt645_3p", "baud": 2400}])


@pytest.fixture(scope="module")
def found(port: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[object, Any], list[Told]]:
    """A search of two speeds, by address, and all that went over the bus; with time for meters on a busy machine."""
    meters: dict[object, Any] = {}
    rows: list[Told] = []
    for baud, units, status in (("9600", "1-12", 1), ("2400", "11-12", 0)):
        capture = tmp_path_factory.mktemp("scan") / "bus.jsonl"
        options = ["--baud", baud, "--parity", "N", "--units", units, "--answer-ms", "2000", "--json"]
        result = CliRunner().invoke(app, ["scan", "--port", port, "--capture", str(capture), *options])
        assert result.exit_code == status, result.output  # two meters have one address at 9600
        data = json.loads(result.stdout)["data"]
        assert not data["stopped"]
        meters |= {one["address"]: {**one, "baud": baud} for one in data["meters"]}
        rows += told(capture, technician=True)
    return meters, rows


def test_every_model_is_found_and_recognised(found: tuple[dict[object, Any], list[Told]]) -> None:
    """P-290"""
    meters, _ = found
    for number, name in enumerate(MODBUS_MODELS, 1):
        assert meters[number]["models"][0]["profile"] == name, meters[number]
        assert meters[number]["line"] == "9600 8N1"
    assert meters[DLT645]["models"][0]["profile"] == "dlt645_3p"
    assert meters[DLT645]["line"] == "2400 8N1"


def test_a_slow_meter_is_found_by_its_late_answer() -> None:
    """P-290: it takes longer than a scan waits; what it said comes while the next one is asked."""
    late = Heard(SILENT, b"", ANSWER, b"")
    there = [Heard(SILENT, b"", b"", b""), *[Heard(GOT, b"\0\0", ANSWER, b"")] * 5]
    bus = Scripted({(N9600, "modbus-rtu", 1): there, (N9600, "modbus-rtu", 2): [late]})
    result = scan.scan(bus, [order.Step(N9600, "modbus-rtu", (1, 2, 3))])
    assert [(one.address, one.trouble) for one in result.found] == [(1, "")]
    waited = [question.timeout_ms for question in bus.asked if question.address == 1]
    assert waited[1] - waited[0] == order.SLOW_ANSWER_MS - order.ANSWER_MS


def test_two_meters_at_one_address_are_told_from_one(found: tuple[dict[object, Any], list[Told]]) -> None:
    """P-291"""
    meters, _ = found
    assert {address for address, one in meters.items() if one["trouble"]} == {12}
    assert meters[12]["trouble"] == "two_meters"


def test_nothing_but_reads_and_the_question_for_an_address_goes_out(
    found: tuple[dict[object, Any], list[Told]],
) -> None:
    """S-18, P-292: in the capture of a whole search there is no command that changes a meter."""
    _, rows = found
    asked = [row for row in rows if row.to == "meters"]
    assert len(asked) > len(MODBUS_MODELS) * 4
    assert [row.problem for row in asked if row.problem] == []


@given(
    st.sampled_from(PROTOCOLS),
    st.integers(-1, 300) | st.text(max_size=14),
    st.tuples(st.integers(-1, 255), st.integers(-1, 0x10000), st.integers(-1, 300)),
)
def test_no_question_makes_a_writing_frame(protocol: str, address: int | str, read: tuple[int, int, int]) -> None:
    """S-18, P-292: whatever is asked, what would go out is a read or is refused before it goes out."""
    try:
        made = exchange(Question(N9600, protocol, address, Read(*read), 1), Heard(SILENT, b"", b"", b""))
    except (ValueError, TypeError):
        return
    assert not problem_with(made.sent, technician=True)


def test_bytes_leave_the_tool_in_one_place() -> None:
    """S-18: the port is written to by the UART alone, which hands on what the terminal's bus made."""
    folder = DEVICE.parent / "field" / "bus"
    written = [
        (file.name, ast.unparse(node.func))
        for file in sorted(folder.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".write")
    ]
    port = [("adapter.py", "self._port.write"), ("asking.py", "self._uart.write")]  # the second on a terminal, too
    assert written == [*port, ("traffic.py", "self._file.write")]  # the last is the capture's file


ANSWER = bytes.fromhex("0103020000b844")  # of unit 1: one register
METER = "202603010012"
METER_ANSWER = bytes.fromhex("FE FE FE FE 68 12 00 01 03 26 20 68 93 06 45 33 34 36 59 53 53 16")  # its number


def test_two_intact_answers_to_one_request_are_two_meters() -> None:
    """P-291: without a collision, one after the other."""
    once = Heard(GOT, b"\0\0", ANSWER, b"")
    later = Heard(GOT, b"\0\0", ANSWER, ANSWER)
    bus = Scripted({(N9600, "modbus-rtu", 1): [once, once, later, later, later]})
    result = scan.scan(bus, [order.Step(N9600, "modbus-rtu", (1, 2))])
    assert [(one.address, one.trouble) for one in result.found] == [(1, "two_meters")]


def test_a_line_on_which_all_is_rubbish_is_said_once_and_costs_no_more() -> None:
    rubbish = [Heard(GARBLED, b"", b"\x01\x02\x03", b"")]
    bus = Scripted({(N9600, "modbus-rtu", unit): list(rubbish) for unit in range(1, 17)})
    result = scan.scan(bus, [order.Step(N9600, "modbus-rtu", tuple(range(1, 17)))])
    assert [one.trouble for one in result.found] == ["noise"]
    assert len(bus.asked) == 16


def test_several_dlt645_meters_that_answer_at_once_are_said() -> None:
    bus = Scripted({(N2400, WHO, ""): [Heard(GARBLED, b"", b"\x68" * 30, b"")] * 5})
    result = scan.scan(bus, [order.Step(N2400, WHO, ("",))])
    assert [one.trouble for one in result.found] == ["several_dlt645"]


def test_a_line_of_noise_is_no_meters_that_are_told_apart() -> None:
    """P-355: a hundred questions show it, and no further round is asked."""
    ends = ["", *(f"{end:02d}" for end in range(100))]
    bus = Scripted({(N2400, WHO, end): [Heard(GARBLED, b"", b"\x68" * 30, b"")] * 5 for end in ends})
    result = scan.scan(bus, [order.Step(N2400, WHO, ("",))])
    assert [one.trouble for one in result.found] == ["noise"]
    assert len(bus.asked) == 1 + scan.ASK_AGAIN + 100


def test_a_meter_that_told_its_number_once_is_not_lost_in_noise() -> None:
    """P-479: noise begins while the line is searched."""
    noise = Heard(GARBLED, b"", b"\x68" * 30, b"")
    once = Heard(GOT, b"", METER_ANSWER, b"")
    ends = {f"{end:02d}": [noise] for end in range(100)} | {"": [once, once, noise, noise]}
    bus = Scripted({(N2400, WHO, end): heard for end, heard in ends.items()})
    result = scan.scan(bus, [order.Step(N2400, WHO, ("",))])
    assert [(one.address, one.trouble) for one in result.found] == [("", "noise"), (METER, "")]


def test_a_port_without_a_parity_is_said_and_the_rest_is_searched() -> None:
    even = Line(9600, "E", 1)
    bus = Scripted({(even, WHO, ""): [Heard(NO_LINE, b"", b"", b"")]})
    result = scan.scan(bus, order.steps(bauds=(9600,), parities=("N", "E"), units=range(1, 4)))
    assert result.missing_lines == [even]
    assert [question.line for question in bus.asked].count(even) == 1


SEARCH = order.steps(bauds=(9600,), parities=("N",), units=range(1, 30))


@given(st.integers(0, 100))
def test_ended_at_any_moment_it_gives_what_was_found(at: int) -> None:
    """P-293"""

    def bus(at: int = -1) -> Scripted:
        return Scripted({(N9600, "modbus-rtu", 1): [Heard(GOT, b"\0\0", ANSWER, b"")] * 9}, at)

    whole = bus()
    assert not scan.scan(whole, SEARCH).stopped
    ended = bus(at)
    result = scan.scan(ended, SEARCH)
    assert result.stopped == (at < len(whole.asked))
    assert ended.asked == whole.asked[:at]
    looked_at = whole.asked.index(Question(N9600, "modbus-rtu", 17, Read(3, 0, 1), whole.asked[1].timeout_ms))
    assert [one.address for one in result.found] == ([1] if at >= looked_at else [])


def test_ctrl_c_ends_a_scan_with_what_was_found(port: str) -> None:
    """P-293: of the command as a person runs it."""
    program = "from gateway.command import main; main()"
    options = ["field", "scan", "--port", port, "--parity", "N", "--units", "1-3", "--answer-ms", "2000", "--json"]
    command = [sys.executable, "-c", program, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        assert running.stdout is not None
        while "  0 found" in (line := running.stderr.readline()) or "%  " not in line:
            assert line, "it ended by itself"
        running.send_signal(signal.SIGINT)
        outcome = json.loads(running.stdout.read())
    assert outcome["data"]["stopped"]
    assert 1 in [one["address"] for one in outcome["data"]["meters"]]


def test_the_likely_is_asked_first_and_everything_in_the_end() -> None:
    """P-293"""
    expected = (Line(4800, "E", 1), "modbus-rtu", 77)
    search = order.steps([expected])
    asked = [(step.line, step.protocol, address) for step in search for address in step.addresses]
    assert asked[0] == expected
    assert asked[1:3] == [(N9600, WHO, ""), (N9600, "modbus-rtu", 1)]
    for baud in order.BAUDS:
        for parity in order.PARITIES:
            line = Line(baud, parity, 1)
            units = {address for one, protocol, address in asked if one == line and protocol == "modbus-rtu"}
            assert units == set(range(1, 248))
            assert (line, WHO, "") in asked
    assert order.longest_s(search) < 25 * 60


def test_a_planned_meter_that_is_not_there_and_another_model_are_named(port: str) -> None:
    model = {one.name: one for one in recognise.models()}
    there = Planned(1, "press", "production", 0, Meter(9, 1, model["dtsu666"], (1, 1), 2000, N9600))
    gone = Planned(2, "fan", "treatment", 0, Meter(13, 2, model["sdm630"], (1, 1), 2000, N9600))
    planned = [there, gone]
    search = order.steps(steps.expected(planned), bauds=(), parities=())
    with Adapter(port) as bus:
        outcome = steps.run_scan(bus, planned, lambda _: search)
    assert MODBUS_MODELS[8] == "sdm630"
    assert [finding.code for finding in outcome.findings] == ["meter", "other_model", "meter_missing"]
    assert outcome.exit_status == 1


def test_a_port_that_is_not_there_is_named_with_what_to_do() -> None:
    with pytest.raises(ReachError, match=r"/dev/no-such-port.*plugged in.*检查"):
        Adapter("/dev/no-such-port")
    result = CliRunner().invoke(app, ["scan", "--port", "/dev/no-such-port"])
    assert result.exit_code == 3


def test_a_dry_run_says_the_lines_and_the_longest_time_and_opens_no_port() -> None:
    result = CliRunner().invoke(app, ["scan", "--port", "/dev/no-such-port", "--dry-run"])
    assert result.exit_code == 0
    assert "9600 8N1, 2400 8E1" in result.output
    assert "at most 21 min" in result.output
    told = CliRunner().invoke(app, ["scan", "--port", "/dev/no-such-port", "--dry-run", "--json"])
    assert json.loads(told.stdout)["lines"][:2] == ["9600 8N1", "2400 8E1"]


@pytest.mark.parametrize("arguments", [["--baud", "300"], ["--parity", "M"], ["--units", "0-9"], ["--units", "x"]])
def test_what_no_bus_has_is_refused(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["scan", "--port", "p", *arguments]).exit_code == 2
