"""Asking and configuring as an operator does it: the commands, a whole gateway, a real broker, a real Modbus server."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from hil.broker import Broker
from protocol import down, record
from tests.gateway.modbus_intake.site import MailboxTerminal, Server, device_of
from tests.gateway.support import Device, Running, Sender, StillClock, event, window, write_config

SENDER = "T0001"


def run(config: Path, *words: str) -> tuple[int, str]:
    answer = CliRunner().invoke(app, [*words, "--config", str(config)])
    return answer.exit_code, answer.stdout + answer.stderr


def run_json(config: Path, *words: str, status: int = 0) -> Any:
    code, said = run(config, *words, "--json")
    assert code == status, said
    return json.loads(said)


def gap_rows(config: Path, *words: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for line in run(config, "gaps", *words, "--json")[1].splitlines():
        row = json.loads(line)
        found.setdefault(row.pop("kind"), []).append(row)
    return found


@pytest.fixture
def clock() -> StillClock:
    return StillClock(int(time.time()) // 900 * 900)  # the commands go by the machine's


def new(config: Path, text: str = '{"sample_interval_s": 10}') -> str:
    file = config.parent / "new.json"
    file.write_text(text)
    return str(file)


def test_an_operator_asks_for_missing_windows_and_sees_what_came_of_it(
    tmp_path: Path,
    broker: Broker,
    clock: StillClock,
    start: Callable[[Path], Running],
    device: Callable[..., Device],
) -> None:
    """P-100 R-17"""
    sender = Sender()
    config = write_config(tmp_path, broker.port, [sender])
    running, terminal = start(config), device()

    def at(seq: int) -> int:
        return clock.now_s - 900 * (9 - seq)

    def made(seq: int) -> bytes:
        return window(seq, at(seq), end_uptime_s=900 * seq)

    terminal.publish(SENDER, sender.frame([made(1), made(2), made(6)]))
    terminal.down(1)
    span = ("--terminal", SENDER, "--from", _iso(at(1)), "--to", _iso(at(7)))
    before = gap_rows(config, *span)
    assert "asked" not in before
    assert [one["windows"] for one in before["gap"] if one["state"] == "missing"] == [3]
    asked = gap_rows(config, *span, "--ask")
    assert asked["total"][0]["asked"] == 3
    (row,) = asked["asked"]
    assert (row["epoch"], row["first"], row["last"], row["by"], row["outcome"]) == (7, 3, 5, "operator", "open")
    assert run_json(config, "status")["findings"]["records_missing"] == 3
    assert "asked again / 已请求重传" in run(config, "gaps", *span)[1]

    def is_asked() -> bool:  # within a second of the order, when the terminal is heard
        terminal.publish(SENDER, sender.frame([made(7)]))
        return running.metric("wattline_down_messages_total", kind="request", result="sent") == 1

    _wait(is_asked, terminal, sender)
    _wait(lambda: any(isinstance(one, down.Request) for one in _all(terminal, sender)), terminal, sender)
    (request,) = [one for one in _all(terminal, sender) if isinstance(one, down.Request)]
    assert (request.epoch, request.ranges) == (7, [(3, 5)])
    unmet = event(8, clock.now_s, code=record.REQUEST_UNMET, values=[3, 3], uptime_s=9000)
    terminal.publish(SENDER, sender.frame([made(4), made(5), unmet]))
    _wait(lambda: running.metric("wattline_records_total", outcome="new") == 7, terminal, sender)
    running.stop()
    start(config)  # a start looks at what is open at once
    _wait(lambda: gap_rows(config, *span)["asked"][0]["outcome"] == "gone", terminal, sender)
    after = gap_rows(config, *span)
    (row,) = after["asked"]
    assert (row["came"], row["gone"], row["sent"]) == (2, 1, 1)
    missing = [(one["windows"], one["cause"]) for one in after["gap"] if one["state"] == "missing"]
    assert missing == [(1, "log_lost")]
    assert run_json(config, "status")["asked"]["gone"] == 1


def test_a_configuration_from_the_order_to_the_terminals_word(
    tmp_path: Path,
    broker: Broker,
    clock: StillClock,
    start: Callable[[Path], Running],
    device: Callable[..., Device],
) -> None:
    """P-102 P-103"""
    sender = Sender()
    config = write_config(tmp_path, broker.port, [sender])
    ordered = run_json(config, "configure", SENDER, "--file", new(config))
    assert ordered == {"configurations": [{"terminal": SENDER, "version": 1, "state": "pending", "bytes": 24}]}
    running, terminal = start(config), device()
    terminal.publish(SENDER, sender.frame([event(1, clock.now_s)]))
    _wait(lambda: running.metric("wattline_configurations_pending") == 1, terminal, sender)
    terminal.publish(SENDER, sender.frame([event(2, clock.now_s)]))
    _wait(lambda: len(_all(terminal, sender)) >= 3, terminal, sender)
    (found,) = [one for one in _all(terminal, sender) if isinstance(one, down.Configuration)]
    assert (found.version, found.document) == (1, b'{"sample_interval_s":10}')
    assert found.echo[0] == sender.boot_id
    assert run_json(config, "status")["configurations"] == {"pending": [SENDER], "refused": [], "rolled_back": []}
    said = event(3, clock.now_s, code=record.CONFIG_TAKEN, values=[1])
    terminal.publish(SENDER, sender.frame([said]))
    _wait(lambda: running.metric("wattline_configurations_total", state="taken") == 1, terminal, sender)
    running.stop()
    (row,) = run_json(config, "configure", SENDER)["configurations"]
    assert (row["state"], row["in_force"], row["sent"]) == ("taken", 1, 1)

    start(config)
    run_json(config, "configure", SENDER, "--file", new(config, '{"sample_interval_s": 900}'))
    refused = event(4, clock.now_s, code=record.CONFIG_REFUSED, values=[2, record.CONFIG_MISFIT])
    terminal.publish(SENDER, sender.frame([refused]))
    _wait(lambda: run_json(config, "status")["configurations"]["refused"] == [SENDER], terminal, sender)
    (row, _) = run_json(config, "configure", SENDER)["configurations"]
    assert (row["version"], row["state"], row["reason"], row["in_force"]) == (2, "refused", 3, 1)
    assert "does not fit the technician's file" in run(config, "configure", SENDER)[1]
    assert run_json(config, "configure")["configurations"][0]["version"] == 2


@pytest.fixture
def server() -> Iterator[Callable[[MailboxTerminal], Server]]:
    servers: list[Server] = []

    def serve(terminal: MailboxTerminal) -> Server:
        servers.append(Server([device_of(terminal)], port=0))
        return servers[-1]

    yield serve
    for one in servers:
        one.stop()


def test_over_modbus_both_go_down_with_the_acks(
    tmp_path: Path,
    clock: StillClock,
    start: Callable[[Path], Running],
    server: Callable[[MailboxTerminal], Server],
) -> None:
    """P-100 P-102: a document too that takes several writes."""
    terminal = MailboxTerminal(Sender(), 1)
    port = server(terminal).port
    section = (
        f'[[modbus]]\nname = "shed"\nhost = "127.0.0.1"\nport = {port}\nterminals = [{{id = "T0001", unit = 1}}]\n'
        "poll_ms = 50\nback_off_min_ms = 50\nback_off_max_ms = 400\ntimeout_ms = 500\n"
    )
    config = write_config(tmp_path, 1, [terminal.sender], section)
    text = config.read_text()
    config.write_text(text[: text.index("[mqtt]")] + text[text.index("[metrics]") :])
    start(config)
    document = json.dumps({"buses": [_bus(at, at + 1) for at in range(8)]})
    run_json(config, "configure", SENDER, "--file", new(config, document))
    for seq in (1, 4):
        terminal.append(seq, window(seq, clock.now_s - 900 * (6 - seq)))
    terminal.wait_empty()
    span = ("--terminal", SENDER, "--from", _iso(clock.now_s - 4500), "--to", _iso(clock.now_s))
    assert gap_rows(config, *span, "--ask")["total"][0]["asked"] == 2
    for seq in range(5, 100):
        terminal.append(seq, event(seq, clock.now_s))
        terminal.wait_empty()
        if len(terminal.told) == 2:
            break
        time.sleep(0.1)
    told = terminal.wait_told(2)
    assert [one.ranges for one in told if isinstance(one, down.Request)] == [[(2, 3)]]
    assert [json.loads(one.document) for one in told if isinstance(one, down.Configuration)] == [json.loads(document)]
    assert terminal.box.refused == 0


def _bus(uart: int, point: int = 1) -> dict[str, Any]:
    meter = {"address": 1, "profile": "p" * 60, "point": point, "ct_ratio": 10000, "pt_ratio": 1, "timeout_ms": 300}
    return {"uart": uart, "baud": 115200, "parity": "E", "stop": 1, "meters": [meter]}


def _iso(time_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_s))


def _all(terminal: Device, sender: Sender) -> list[Any]:
    return [sender.open_down(data) for data in terminal.down(0)]


def _wait(happened: Callable[[], bool], terminal: Device, sender: Sender) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline, _all(terminal, sender)
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["T0001", "--file", "nofile.json"], 1, "nofile.json: can't be read"),
        (["T9999", "--file", "{new}"], 1, "T9999: not admitted / 未登记"),
        (["--file", "{new}"], 2, "for which terminals?"),
        (["T0001", "--base", "{new}"], 2, "--base goes with --file"),
        (["T0001", "--file", "{new}", "--withdraw"], 2, "--withdraw alone"),
        (["T0001", "--withdraw"], 1, "T0001: nothing is pending"),
    ],
)
def test_a_wrong_call_says_what_is_wrong_and_orders_nothing(
    tmp_path: Path, words: list[str], status: int, said: str
) -> None:
    config = write_config(tmp_path, 1, [Sender()])
    called = [word.format(new=new(config)) for word in words]
    assert (run(config, "configure", *called)[0], said in run(config, "configure", *called)[1]) == (status, True)
    assert run_json(config, "configure") == {"configurations": []}


def test_an_order_can_be_withdrawn_before_it_was_taken(tmp_path: Path) -> None:
    config = write_config(tmp_path, 1, [Sender(), Sender("T0002", b"2" * 32)])
    run_json(config, "configure", SENDER, "T0002", "--file", new(config))
    assert run_json(config, "configure", SENDER, "--withdraw")["configurations"][0]["version"] == 1
    rows = run_json(config, "configure")["configurations"]
    assert [(row["terminal"], row["state"]) for row in rows] == [(SENDER, "withdrawn"), ("T0002", "pending")]
    assert "T0002" in run(config, "configure")[1]


def test_a_wrong_document_is_refused_and_nothing_is_ordered(tmp_path: Path) -> None:
    """P-104"""
    config = write_config(tmp_path, 1, [Sender()])
    status, said = run(config, "configure", SENDER, "--file", new(config, '{"mqtt": {}}'))
    assert status == 1
    assert said.startswith("new.json: mqtt: {}; allowed / 允许: no other keys than sample_interval_s")
    (problem,) = run_json(config, "configure", SENDER, "--file", new(config, '{"points": 5}'), status=1)["problems"]
    assert (problem["file"], problem["key"]) == ("new.json", "points")
    assert run_json(config, "configure") == {"configurations": []}
