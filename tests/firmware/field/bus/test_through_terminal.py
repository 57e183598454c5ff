"""The terminal asks the meters itself, by its raw REPL: the real VM on one pty, emulated meters on another."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from terminal.bus import Line, Meter
from terminal.bus_protocol import Read
from typer.testing import CliRunner

from firmware.field import site
from firmware.field.bus import opening, order, recognise, snapshot
from firmware.field.bus import steps as bus_steps
from firmware.field.bus.asking import GOT, REFUSED, SILENT
from firmware.field.bus.points import Planned
from firmware.field.bus.reach import ANYBODY, WHO, Question, Reach, ReachError
from firmware.field.cli import app
from firmware.field.commission import steps
from firmware.field.commission.session import begun
from firmware.field.commission.work import Signer, Work
from hil.board.blank import BlankBoard, blank_board
from hil.clock import ScaledClock
from hil.meter_capture import told
from hil.process import Process
from tests.firmware.field.bus.conftest import LOAD, START_MS, Meters
from tests.firmware.field.plans import NOW, laid_out

LINE = Line(9600, "N", 1)
DLT645 = "202603010012"


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlankBoard]:
    """A terminal with its application, and meters on its bus: two alone, and those of the example's site plan."""
    folder: Path = tmp_path_factory.mktemp("terminal")
    with blank_board(folder / "board", installed=True) as made:
        meters = [
            {"address": 3, "profile": "sdm630", "load": LOAD},
            {"address": DLT645, "profile": "dlt645_3p", "load": LOAD},
            *({"address": unit, "profile": "dtsu666", "load": LOAD, "ct_ratio": 60} for unit in (1, 2)),
        ]
        config = folder / "meters.json"
        config.write_text(json.dumps({"meters": meters, "log": "served.jsonl", "port": made.bus}))
        command = [sys.executable, "-m", "hil.meters", "--config", str(config)]
        with Process("meters", command, folder / "log", ScaledClock(time.time_ns(), START_MS, 1).env()) as process:
            process.start()
            process.wait_for_line(r'^\{"pty":', 60)
            yield made


def opened(*ports: str) -> AbstractContextManager[Reach]:
    """As a command's options say, without a plan."""
    return opening.opened(opening.places(ports, ()))


def test_the_terminals_own_bus_asks_and_every_byte_is_seen(board: BlankBoard) -> None:
    """P-299"""
    questions = [Question(LINE, "modbus-rtu", unit, Read(4, 0, 2), 2000) for unit in (77, 3)]
    questions += [Question(LINE, "modbus-rtu", 3, Read(3, 0, 1), 2000), Question(LINE, WHO, "", ANYBODY, 2000)]
    with opened(f"board:{board.port}") as bus:
        heard = list(bus.ask(questions))
        again = list(bus.ask(questions))
        assert bus.signal_dbm is None  # this board has no radio
    assert [one.said for one in heard] == [one.said for one in again] == [SILENT, GOT, REFUSED, GOT]
    assert heard[1].heard[:3] == b"\x03\x04\x04"
    assert heard[1].data == heard[1].heard[3:7]
    assert heard[2].heard == bytes.fromhex("0383012130")
    assert heard[3].data == DLT645.encode()


def test_a_point_is_read_as_over_an_adapter(board: BlankBoard) -> None:
    """P-299: with each phase's power and the meter's state words."""
    model = next(one for one in recognise.models() if one.name == "dlt645_3p")
    with opened(f"board:{board.port}#0") as bus:
        taken = snapshot.take(bus, Planned(1, "press", "production", 0, Meter(DLT645, 1, model, (1, 1), 2000, LINE)))
    assert taken.said == ""
    assert taken.values["p_w"] == pytest.approx(5000, rel=0.01)
    assert sum(taken.phases[f"p{letter}_w"] or 0 for letter in "abc") == pytest.approx(5000, rel=0.01)
    assert taken.knows_states


def test_a_terminal_with_two_buses_asks_each(board: BlankBoard, tmp_path: Path) -> None:
    """P-358: a point is read at the bus that the plan says; a scan says of which bus it speaks."""
    model = next(one for one in recognise.models() if one.name == "sdm630")
    planned = [Planned(n, "fan", "treatment", n, Meter(3, n, model, (1, 1), 2000, LINE)) for n in (0, 1)]
    config = tmp_path / "meters.json"
    load = {"kind": "constant", "rated_w": 9000}
    meter = {"address": 3, "profile": "sdm630", "load": load}
    config.write_text(json.dumps({"meters": [meter], "log": "served.jsonl", "port": board.second_bus}))
    command = [sys.executable, "-m", "hil.meters", "--config", str(config)]
    with Process("meters", command, tmp_path / "log", ScaledClock(time.time_ns(), START_MS, 1).env()) as process:
        process.start()
        process.wait_for_line(r'^\{"pty":', 60)
        with opening.opened(opening.places([f"board:{board.port}"], {0, 1})) as buses:
            outcome = bus_steps.run_live(buses, planned)
            scanned = bus_steps.run_scan(buses, planned, lambda here: order.steps(bus_steps.expected(here), bauds=()))
    powers = [one["values"]["p_w"] for one in outcome.data["points"]]
    assert powers == [pytest.approx(5000, rel=0.01), pytest.approx(9000, rel=0.01)]
    assert [one["bus"] for one in scanned.data["meters"]] == [0, 1]
    assert [one.en.split(",")[0] for one in scanned.findings] == ["bus 0: 9600 8N1", "bus 1: 9600 8N1"]


def test_a_scan_through_it_sends_reads_alone_and_lets_the_terminal_start_again(
    board: BlankBoard, tmp_path: Path
) -> None:
    """P-292, P-299"""
    capture = tmp_path / "bus.jsonl"
    options = ["--baud", "9600", "--parity", "N", "--units", "3-4", "--answer-ms", "2000"]
    options += ["--capture", str(capture), "--json"]
    result = CliRunner().invoke(app, ["scan", "--port", f"board:{board.port}", *options])
    assert result.exit_code == 0, result.output
    meters = json.loads(result.stdout)["data"]["meters"]
    assert {one["address"]: one["models"][0]["profile"] for one in meters} == {3: "sdm630", DLT645: "dlt645_3p"}
    assert [row.problem for row in told(capture, technician=True) if row.problem] == []


def test_a_board_that_is_not_there_and_a_port_that_it_has_not_are_named(board: BlankBoard) -> None:
    with pytest.raises(ReachError, match="plugged in"), opened("board:/dev/no-such-port"):
        pass
    with pytest.raises(opening.PlaceError, match="board:PORT#0"), opened(f"board:{board.port}#x"):
        pass
    question = [Question(LINE, "modbus-rtu", 77, Read(3, 0, 1), 100)]
    with pytest.raises(ReachError, match="WATTLINE_UART7"), opened(f"board:{board.port}#7") as bus:
        list(bus.ask(question))


def test_commissioning_by_an_adapter_keeps_the_board_quiet(board: BlankBoard, meters: Meters, tmp_path: Path) -> None:
    """P-358: the board is at its prompt meanwhile, and the adapter's answers count."""
    port = meters([{"address": number, "profile": "dtsu666", "ct_ratio": ct} for number, ct in ((1, 80), (2, 20))])
    found = site.load(laid_out(tmp_path), now=NOW)
    signer = Signer("li.wei", Ed25519PrivateKey.from_private_bytes(b"t" * 32))
    work = Work(found, found.terminal(None), board.port, tmp_path, signer, lambda: NOW, lambda _: None, {0: port})
    session = begun(work.file("session.json"), work.terminal.id)
    assert [step(work, session).state for step in (steps.scan, steps.live)] == ["passed", "passed"]
    gone = replace(work, port="/dev/no-such-board")
    assert steps.attempt(steps.STEPS[5], gone, session).findings[0].code == "no_answer"


def test_commissioning_needs_no_adapter(board: BlankBoard, tmp_path: Path) -> None:
    """P-299: scan and live values of a site plan, asked by the board that is commissioned."""
    found = site.load(laid_out(tmp_path), now=NOW)
    signer = Signer("li.wei", Ed25519PrivateKey.from_private_bytes(b"t" * 32))
    work = Work(found, found.terminal(None), board.port, tmp_path, signer, lambda: NOW, lambda _: None)
    session = begun(work.file("session.json"), work.terminal.id)
    outcomes = [step(work, session) for step in (steps.scan, steps.live)]
    assert [one.state for one in outcomes] == ["passed", "passed"], outcomes
    read = [one["values"]["ua_dv"] for one in outcomes[-1].data["points"]]
    assert read == [pytest.approx(2300, rel=0.03)] * 2
