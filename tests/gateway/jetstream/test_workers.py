"""Workers that share the terminals: real broker, real server, the product's composition."""

import time
from collections.abc import Callable
from pathlib import Path

from hil.broker import Broker
from hil.nats import Nats
from tests.gateway.jetstream.support import NATS, config_of, count, held, write_worker
from tests.gateway.support import NOW_S, Device, Running, Sender, event, window, write_config

TERMINALS = 8


def write(folder: Path, broker: Broker, nats: Nats, stream: str, senders: list[Sender], name: str) -> Path:
    config = write_config(folder / name, broker.port, senders)
    write_worker(config, nats, stream, name)
    return config


def test_two_workers_share_the_terminals_and_either_answers(
    tmp_path: Path, broker: Broker, nats: Nats, start: Callable[[Path], Running], device: Callable[..., Device]
) -> None:
    """P-223: each frame goes to one of them, which acknowledges it; one that ends leaves its part to the other."""
    senders, config = [Sender(f"T{number:04d}") for number in range(TERMINALS)], config_of(nats)
    workers = [start(write(tmp_path, broker, nats, config.stream, senders, name)) for name in ("one", "two")]
    devices = [device(sender.name) for sender in senders]

    def send(seq: int) -> None:
        for sender, one in zip(senders, devices, strict=True):
            one.publish(sender.name, sender.frame([window(seq, NOW_S - 900 * (5 - seq))]))
        for sender, one in zip(senders, devices, strict=True):
            assert sender.open_ack(one.down(seq)[-1]).durable == [(seq, seq)]

    send(1)
    taken = [one.metric("wattline_frames_total", result="accepted") for one in workers]
    assert sum(taken) == TERMINALS
    assert all(taken)
    workers[0].stop()
    send(2)
    devices[0].publish("T0000", senders[0].frame([window(1, NOW_S - 3600)]))  # again, to whoever is left
    assert senders[0].open_ack(devices[0].down(3)[-1]).durable == [(1, 1)]
    assert count(config) == 2 * TERMINALS
    assert not list(tmp_path.glob("*/data/journal*"))  # no state


def test_a_conflict_is_evidence_and_an_alarm_whichever_worker_sees_it(
    tmp_path: Path, broker: Broker, nats: Nats, start: Callable[[Path], Running], device: Callable[..., Device]
) -> None:
    """P-223: the other one had the first of two records of one name; what stands there stays."""
    sender, config = Sender(), config_of(nats)
    first = start(write(tmp_path, broker, nats, config.stream, [sender], "one"))
    one = device()
    frame = sender.frame([event(1)])
    one.publish("T0001", frame)
    one.down(1)
    first.stop()
    other = start(write(tmp_path, broker, nats, config.stream, [sender], "two"))
    one.publish("T0001", sender.frame([event(1, NOW_S - 1)]))
    answer = sender.open_ack(one.down(2)[-1])
    assert (answer.durable, [row[:2] for row in answer.refused]) == ([], [(1, 1)])
    assert other.metric("wattline_frames_refused_total", reason="conflict") == 1
    assert '"event": "conflict"' in other.log.getvalue()
    found = held(config, "T0001", 7, 1)
    assert found is not None
    assert found.frame == frame


def test_a_worker_acknowledges_nothing_while_the_stream_is_away(
    tmp_path: Path, broker: Broker, start: Callable[[Path], Running], device: Callable[..., Device]
) -> None:
    """P-223: no ack before the stream has it; it goes on by itself when the server is back."""
    sender, one = Sender(), device()
    with Nats(NATS, tmp_path / "nats") as nats:
        config = config_of(nats)
        worker = start(write(tmp_path, broker, nats, config.stream, [sender], "one"))
        assert "unreachable" in worker.log.getvalue()
        one.publish("T0001", sender.frame([window(1)]))
        deadline = time.monotonic() + 60
        while not worker.metric("wattline_store_errors_total", store="journal") and time.monotonic() < deadline:
            time.sleep(0.01)
        assert one.down(0) == []
        nats.start()
        assert sender.open_ack(one.down(1)[-1]).durable == [(1, 1)]
        assert count(config) == 1
        worker.stop()
