"""Whole gateways that fetch from real pymodbus servers: everything once in the journal, acks back, whatever fails."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.journal.reader import Reader
from hil.broker import Broker
from protocol import ack, mailbox
from tests.gateway.modbus_intake.site import MailboxTerminal, Server, Wire, device_of
from tests.gateway.support import NOW_S, Device, Running, Sender, event, wait_until, window, write_config


class Place:
    """Servers and lines that end with the test."""

    def __init__(self) -> None:
        self.parts: list[Server | Wire] = []

    def tcp(self, *terminals: MailboxTerminal, port: int = 0, delay_s: Callable[[], float] = lambda: 0.0) -> Server:
        server = Server([device_of(one, delay_s) for one in terminals], port=port)
        self.parts.append(server)
        return server

    def bus(
        self,
        *terminals: MailboxTerminal,
        change: Callable[[bool, bytes], bytes] | None = None,
        delay_s: Callable[[], float] = lambda: 0.0,
    ) -> Wire:
        wire = Wire(change) if change else Wire()
        self.parts += [Server([device_of(one, delay_s) for one in terminals], serial=wire.far), wire]
        return wire


@pytest.fixture
def place() -> Iterator[Place]:
    one = Place()
    yield one
    for part in one.parts:
        part.stop()


def line(name: str, where: str, *terminals: MailboxTerminal, more: str = "") -> str:
    """A [[modbus]] section. where: `host` and `port`, or `serial` and `baud`, as TOML."""
    listed = ", ".join(f'{{id = "{one.sender.name}", unit = {one.unit}}}' for one in terminals)
    pace = "poll_ms = 50\nback_off_min_ms = 50\nback_off_max_ms = 400\n"
    return f'[[modbus]]\nname = "{name}"\n{where}\nterminals = [{listed}]\n{pace}{more or "timeout_ms = 500"}\n'


def tcp(server: Server) -> str:
    return f'host = "127.0.0.1"\nport = {server.port}'


def serial(wire: Wire) -> str:
    return f'serial = "{wire.near}"\nbaud = 115200'


def config(folder: Path, terminals: list[MailboxTerminal], sections: str) -> Path:
    """A gateway without a broker."""
    path = write_config(folder, 1, [one.sender for one in terminals], sections)
    text = path.read_text()
    begin, end = text.index("[mqtt]"), text.index("[metrics]")
    path.write_text(text[:begin] + text[end:])
    return path


def terminal(number: int = 1, unit: int = 1) -> MailboxTerminal:
    return MailboxTerminal(Sender(f"T{number:04}", bytes([number]) * 32), unit)


def record(seq: int) -> bytes:
    return window(seq, NOW_S - 900 * 5000 + 900 * seq)


def journalled(folder: Path) -> list[tuple[str, int]]:
    """(terminal, seq) of every record in the journal, in order of acceptance."""
    reader = Reader(folder / "data")
    found = [(one.terminal, one.seq) for one in reader.records_after(0, 100_000)]
    reader.close()
    return found


def refused(running: Running, reason: str) -> float:
    return running.metric("wattline_modbus_refused_total", reason=reason)


def written(running: Running) -> float:
    return running.metric("wattline_modbus_acks_total", result="written")


@pytest.mark.parametrize("way", ["tcp", "rtu"])
def test_everything_is_fetched_once_and_freed_by_acks_live_before_backlog(
    tmp_path: Path, place: Place, start: Callable[[Path], Running], way: str
) -> None:
    """P-60."""
    terminals = [terminal(1, 1), terminal(2, 7)]
    for one in terminals:
        for seq in range(100):
            one.append(seq, record(seq))
        for seq in range(100, 104):
            one.append(seq, event(seq), live=True)
    where = tcp(place.tcp(*terminals)) if way == "tcp" else serial(place.bus(*terminals))
    running = start(config(tmp_path, terminals, line("shed", where, *terminals)))
    for one in terminals:
        one.wait_empty()
    found = journalled(tmp_path)
    assert sorted(found) == [(one.sender.name, seq) for one in terminals for seq in range(104)]
    for one in terminals:
        order = [seq for name, seq in found if name == one.sender.name]
        backlog_frame = 1  # the very first was offered before there was anything live
        assert max(order.index(seq) for seq in range(100, 104)) < backlog_frame + 4
        assert all(found.echo and found.echo[0] == one.sender.boot_id for found in one.acks)
        assert one.box.refused == 0
    assert running.metric("wattline_records_total", outcome="repeated") == 0


def test_a_gateway_with_broker_and_lines_takes_from_both_and_answers_each_its_way(
    tmp_path: Path, place: Place, broker: Broker, device: Callable[..., Device], start: Callable[[Path], Running]
) -> None:
    one, other = terminal(1), Sender("T0009", b"9" * 32)
    section = line("shed", tcp(place.tcp(one)), one)
    start(write_config(tmp_path, broker.port, [one.sender, other], section))
    over_mqtt = device("T0009")
    both_ways = device("T0001")
    for seq in range(20):
        one.append(seq, record(seq))
        over_mqtt.publish("T0009", other.frame([record(seq)]))
    one.wait_empty()
    acks = [found for data in over_mqtt.down(1) for found in other.open_ack(data).durable]
    wait_until(lambda: len(journalled(tmp_path)) == 40)
    assert acks[0][0] == 0
    assert both_ways._down == []
    assert sorted(journalled(tmp_path)) == [(name, seq) for name in ("T0001", "T0009") for seq in range(20)]


@pytest.mark.slow
def test_reboots_at_any_moment_lose_and_double_nothing(
    tmp_path: Path, place: Place, start: Callable[[Path], Running]
) -> None:
    """R-06, P-60."""
    one = terminal()
    rng = random.Random(4)

    def restart_now_and_then() -> float:
        """Between two requests, so that some frames are cut in the middle however fast the machine is."""
        if rng.random() < 0.2:
            one.restart()
        return 0

    server = place.tcp(one, delay_s=restart_now_and_then)
    for seq in range(400):
        one.append(seq, record(seq))
    running = start(config(tmp_path, [one], line("shed", tcp(server), one)))
    one.wait_empty()
    assert sorted(journalled(tmp_path)) == [("T0001", seq) for seq in range(400)]
    assert refused(running, "torn") > 0


@pytest.mark.slow
def test_an_ack_that_is_lost_is_written_again_and_counts_once(
    tmp_path: Path, place: Place, start: Callable[[Path], Running]
) -> None:
    one = terminal()
    one.deaf = True
    one.append(0, record(0))
    running = start(config(tmp_path, [one], line("shed", tcp(place.tcp(one)), one)))
    wait_until(lambda: written(running) >= 3)
    assert running.metric("wattline_modbus_acks_total", result="not_taken") >= 1
    assert one.backlog
    one.deaf = False
    one.wait_empty()
    assert journalled(tmp_path) == [("T0001", 0)]
    assert running.metric("wattline_records_total", outcome="repeated") >= 2


def test_a_silent_terminal_delays_no_other_and_comes_back(
    tmp_path: Path, place: Place, start: Callable[[Path], Running]
) -> None:
    """P-61."""
    silent, well = terminal(1), terminal(2)
    silent.dead = True
    silent.append(0, record(0))
    sections = line("dead", tcp(place.tcp(silent)), silent, more="timeout_ms = 8000")
    sections += line("well", tcp(place.tcp(well)), well)
    running = start(config(tmp_path, [silent, well], sections))
    wait_until(lambda: refused(running, "silent") >= 1)
    slowest_s = 0.0
    for seq in range(20):
        began_s = time.monotonic()
        well.append(seq, event(seq), live=True)
        well.wait_empty()
        slowest_s = max(slowest_s, time.monotonic() - began_s)
    assert slowest_s < 7.5  # less than one time-out of the silent one, on a busy machine too
    assert running.metric("wattline_modbus_silent_terminals") == 1
    silent.dead = False
    silent.wait_empty()
    wait_until(lambda: running.metric("wattline_modbus_silent_terminals") == 0)
    said = running.log.getvalue()
    assert said.count('"modbus_failed"') == 1, said
    assert said.count('"modbus_back"') == 1


@pytest.mark.slow
def test_on_one_bus_a_silent_terminal_costs_the_others_a_time_out_now_and_then(
    tmp_path: Path, place: Place, start: Callable[[Path], Running]
) -> None:
    """P-61."""
    silent, well = terminal(1, 1), terminal(2, 2)
    silent.dead = True
    silent.append(0, record(0))
    wire = place.bus(silent, well)
    running = start(config(tmp_path, [silent, well], line("bus", serial(wire), silent, well, more="timeout_ms = 100")))
    wait_until(lambda: refused(running, "silent") >= 3)
    for seq in range(60):
        well.append(seq, record(seq))
    well.wait_empty()
    assert sorted(journalled(tmp_path)) == [("T0002", seq) for seq in range(60)]


@pytest.mark.slow
def test_noise_and_lost_bytes_on_a_bus_lose_nothing(
    tmp_path: Path, place: Place, start: Callable[[Path], Running]
) -> None:
    """P-60, P-62: whatever the line does, the journal gets each record once, and nothing else."""
    rng = random.Random(7)

    def change(up: bool, data: bytes) -> bytes:
        if not up or rng.random() < 0.9:
            return data
        damaged = bytearray(data)
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        return rng.choice([b"", bytes(damaged), data[:-1], b"\xff" + data])

    one = terminal()
    for seq in range(80):
        one.append(seq, record(seq))
    wire = place.bus(one, change=change)
    running = start(config(tmp_path, [one], line("bus", serial(wire), one, more="timeout_ms = 60")))
    one.wait_empty(60)
    assert sorted(journalled(tmp_path)) == [("T0001", seq) for seq in range(80)]
    assert running.metric("wattline_frames_refused_total", reason="mac") == 0
    assert refused(running, "silent") + refused(running, "garbled") > 0


def test_a_frame_that_is_not_authentic_is_quarantined_once_and_holds_up_nothing_for_long(
    tmp_path: Path, place: Place, start: Callable[[Path], Running]
) -> None:
    one = MailboxTerminal(Sender(), hold_ms=700)
    stranger = Sender("T0001", b"x" * 32)
    one.append(0, record(0))
    one.offer_raw(stranger.frame([record(5)]))
    running = start(config(tmp_path, [one], line("shed", tcp(place.tcp(one)), one)))
    wait_until(lambda: running.metric("wattline_modbus_acks_total", result="none") == 1)
    time.sleep(0.3)
    assert running.metric("wattline_frames_refused_total", reason="mac") == 1
    one.append(1, record(1))
    one._seqs = [0]  # its minute is over: the terminal chooses again
    one.wait_empty()
    assert sorted(journalled(tmp_path)) == [("T0001", 0), ("T0001", 1)]


def test_another_terminal_at_the_unit_is_named_and_nothing_of_it_taken(
    tmp_path: Path, place: Place, start: Callable[[Path], Running]
) -> None:
    """P-62."""
    wired, meant = terminal(2), terminal(1)
    wired.append(0, record(0))
    running = start(config(tmp_path, [meant], line("shed", tcp(place.tcp(wired)), meant)))
    wait_until(lambda: refused(running, "terminal") >= 2)
    assert '"answers_as": "T0002"' in running.log.getvalue()
    assert running.metric("wattline_frames_total", result="refused") == 0
    assert journalled(tmp_path) == []


@pytest.mark.slow
def test_writes_of_a_stranger_free_nothing_while_the_gateway_fetches(
    tmp_path: Path, place: Place, start: Callable[[Path], Running]
) -> None:
    """P-63."""
    one = terminal()
    for seq in range(200):
        one.append(seq, record(seq))
    rng = random.Random(3)
    stop = threading.Event()
    forged = ack.seal_ack(Sender("T0001", b"x" * 32).key, "T0001", 7, [(0, 1000)], [], 0, None)

    def disturb() -> None:
        while not stop.is_set():
            for address, data in mailbox.answer_writes(
                forged if rng.random() < 0.5 else rng.randbytes(rng.randrange(1, 900))
            ):
                one.write(address, data)
            one.read(mailbox.BASE + rng.randrange(100), 20)
            time.sleep(0.0005)

    stranger = threading.Thread(target=disturb)
    stranger.start()
    try:
        start(config(tmp_path, [one], line("shed", tcp(place.tcp(one)), one)))
        one.wait_empty()
    finally:
        stop.set()
        stranger.join()
    assert one.box.refused > 0
    assert sorted(journalled(tmp_path)) == [("T0001", seq) for seq in range(200)]


@pytest.mark.slow
def test_it_comes_back_when_the_server_does(tmp_path: Path, place: Place, start: Callable[[Path], Running]) -> None:
    one = terminal()
    server = place.tcp(one)
    running = start(config(tmp_path, [one], line("shed", tcp(server), one)))
    for seq in range(3):
        place.parts.remove(server)
        server.stop()
        wait_until(lambda: running.metric("wattline_modbus_silent_terminals") == 1)
        one.append(seq, record(seq))
        server = place.tcp(one, port=server.port)
        one.wait_empty()
    assert refused(running, "unreachable") > 0


@pytest.mark.slow
def test_an_answer_out_of_somebodys_memory_is_silence(
    tmp_path: Path, place: Place, start: Callable[[Path], Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-62: a converter that answers for a terminal that is gone."""
    monkeypatch.setattr("gateway.modbus_intake.line.STALE_S", 0.3)
    one = terminal()
    one._uptime_ms = lambda: 5_000_000  # type: ignore[method-assign]
    one.restart()
    running = start(config(tmp_path, [one], line("shed", tcp(place.tcp(one)), one)))
    wait_until(lambda: refused(running, "stale") >= 2)
    assert running.metric("wattline_modbus_silent_terminals") == 1


def test_a_revoked_terminal_is_not_journalled_and_not_acknowledged(
    tmp_path: Path, place: Place, start: Callable[[Path], Running]
) -> None:
    one = terminal()
    running = start(config(tmp_path, [one], line("shed", tcp(place.tcp(one)), one)))
    one.append(0, record(0))
    one.wait_empty()
    (tmp_path / "terminals.toml").write_text("")
    running.reload.set()
    wait_until(lambda: running.metric("wattline_terminals_admitted") == 0)
    one.append(1, record(1))
    wait_until(lambda: running.metric("wattline_frames_refused_total", reason="terminal") == 1)
    assert one.backlog
    assert journalled(tmp_path) == [("T0001", 0)]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["tcp", "rtu"])
def test_late_answers_are_taken_for_no_others(
    tmp_path: Path, place: Place, start: Callable[[Path], Running], way: str
) -> None:
    """P-62: answers up to two time-outs late. This server even puts the number of the newest request on them."""
    rng = random.Random(11)

    def delay_s() -> float:
        return rng.uniform(0.03, 0.25) if rng.random() < 0.1 else 0.0

    one = terminal()
    for seq in range(120):
        one.append(seq, record(seq))
    where = tcp(place.tcp(one, delay_s=delay_s)) if way == "tcp" else serial(place.bus(one, delay_s=delay_s))
    running = start(config(tmp_path, [one], line("shed", where, one, more="timeout_ms = 60")))
    one.wait_empty(60)
    assert sorted(journalled(tmp_path)) == [("T0001", seq) for seq in range(120)]
    assert running.metric("wattline_frames_total", result="refused") == 0
    assert refused(running, "silent") > 0
