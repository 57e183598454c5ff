"""What the gateway's tests share: a clock that stands still, terminals with keys, devices, a gateway in a thread."""

import io
import itertools
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from cext.decoder import KeyState
from cext.verify import OUTCOMES
from gateway import decode, verify
from gateway.app import Gateway, Loaded
from gateway.config import VerifyConfig
from gateway.journal.journal import Batch
from gateway.pipeline import Journal
from gateway.registry import Point, Senders, Terminal
from hil.process import Process
from protocol import ack, down, frame, mac, record

NEW, REPEATED, CONFLICT, REFUSED = OUTCOMES[1:5]
NOW_S = 1_772_323_200  # 2026-03-01 00:00 UTC, a quarter hour
ROOT = Path(__file__).parents[2]
WAIT_S = 60.0  # for what comes within a second, also on a busy machine


class StillClock:
    """A clock that a test sets."""

    def __init__(self, now_s: int = NOW_S) -> None:
        self.now_s = now_s

    def now_ms(self) -> int:
        return self.now_s * 1000


class Sender:
    """A terminal as the gateway sees it: seals frames, opens acks."""

    def __init__(self, name: str = "T0001", secret: bytes = b"k" * 32, generation: int = 1) -> None:
        self.name = name
        self.secret = secret
        self.key = mac.Key(secret, generation)
        self.epoch = 7
        self.boot_id = 1
        self.uptime_ms = 1000

    def frame(self, records: list[bytes], epoch: int | None = None) -> bytes:
        self.uptime_ms += 1
        return frame.seal_frame(
            self.key, self.name, self.epoch if epoch is None else epoch, self.boot_id, self.uptime_ms, records
        )

    def open_ack(self, data: bytes) -> Any:
        """What the gateway sealed for this terminal, which is an ack."""
        found = self.open_down(data)
        assert isinstance(found, ack.Ack), found
        return found

    def open_down(self, data: bytes) -> Any:
        """Likewise, of any kind."""
        return down.open_down(data, self.name, {self.key.generation: self.key})


def reading(**values: Any) -> record.Reading:
    """A plausible reading; name what matters."""
    usual = {"first_s": 2, "last_s": 3, "run_s": 900, "p_mean_w": 4000, "p_min_w": 3500, "p_max_w": 4500}
    usual |= {"e_import_wh": 1_000_000, "flags": 0, "missed": 0}
    return record.Reading(**(dict.fromkeys(record.Reading._fields) | usual | values))


def window(seq: int, start_s: int | None = NOW_S - 900, readings: list[Any] | None = None, **values: Any) -> bytes:
    """A window record's bytes."""
    fields: dict[str, Any] = {
        "start_s": start_s,
        "length_s": 900,
        "boot": 1,
        "end_uptime_s": 900 * (seq + 1),
        "clock_source": record.CLOCK_GATEWAY,
        "clock_error_s": 1,
        "samples_due": 180,
        "readings": [reading()] if readings is None else readings,
        **values,
    }
    return record.encode_window(seq, record.Window(**fields))


def event(seq: int, time_s: int | None = NOW_S, **values: Any) -> bytes:
    """An event record's bytes."""
    fields: dict[str, Any] = {
        "time_s": time_s,
        "boot": 1,
        "uptime_s": 900 * (seq + 1),
        "clock_source": record.CLOCK_GATEWAY,
        "clock_error_s": 1,
        "code": record.BOOT,
        "point": None,
        "values": [1],
        **values,
    }
    return record.encode_event(seq, record.Event(**fields))


def write_key(file: Path, secret: bytes) -> None:
    file.write_text(secret.hex() + "\n")
    file.chmod(0o600)


def write_config(folder: Path, port: int, senders: list[Sender], sinks: str = "") -> Path:
    """gateway.toml and all it names, in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = ""
    for sender in senders:
        write_key(folder / f"{sender.name}.hex", sender.secret)
        text += f'[[terminal]]\nid = "{sender.name}"\n'
        text += f'keys = [{{generation = {sender.key.generation}, file = "{sender.name}.hex"}}]\n'
        text += 'points = [{number = 1, name = "furnace", kind = "production", rated_power_w = 10000}]\n'
    (folder / "terminals.toml").write_text(text)
    config = folder / "gateway.toml"
    config.write_text(
        'data_dir = "data"\nterminals = "terminals.toml"\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\nreconnect_max_s = 1\n[metrics]\nport = 0\n{sinks}'
    )
    return config


class Running:
    """A gateway in a thread of the test, ready to take frames."""

    def __init__(self, config: Path, clock: StillClock, *, follow: bool = False) -> None:
        self._ready = threading.Event()
        self.said = ""
        self.log = io.StringIO()
        self.reload = threading.Event()
        self._stop = threading.Event()
        self.gateway = Gateway(Loaded(config, follow=follow), clock, self, self.log)  # type: ignore[arg-type]
        self._thread = threading.Thread(target=self.gateway.run, args=(self._stop, self.reload))
        self._thread.start()
        if not self._ready.wait(30):
            self.stop()
            raise AssertionError("the gateway was not ready")

    def write(self, text: str) -> int:
        self.said += text
        assert json.loads(self.said)["ready"] is True
        self._ready.set()
        return len(text)

    def flush(self) -> None:
        pass

    def metric(self, name: str, **labels: str) -> float:
        return self.gateway.metrics.registry.get_sample_value(name, labels) or 0.0

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()


class Device:
    """An MQTT client that publishes as terminals do, and keeps what comes down."""

    def __init__(self, port: int, name: str = "T0001") -> None:
        self._changed = threading.Condition()
        self._down: list[bytes] = []
        ready = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"device-{name}", protocol=paho.MQTTv5)
        self.client.max_inflight_messages_set(1000)
        self.client.on_message = self._on_message
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.on_connect = lambda client, *_: client.subscribe(f"wattline/down/{name}", qos=1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert ready.wait(30)

    def publish(self, name: str, data: bytes, *, prefix: str = "wattline/up/") -> None:
        self.client.publish(prefix + name, data, qos=1).wait_for_publish(10)

    def down(self, count: int, timeout_s: float = 60) -> list[bytes]:
        """All that came down, once it is `count` messages."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._down) >= count, timeout_s), f"{len(self._down)} of {count}"
            return list(self._down)

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        with self._changed:
            self._down.append(bytes(message.payload))
            self._changed.notify_all()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self.client.on_message = self.client.on_subscribe = self.client.on_connect = None


def mosquitto() -> Path:
    """The broker's program, as `make setup` left it or as the machine has it."""
    path = f"{ROOT / 'build/mosquitto'}{os.pathsep}{os.environ['PATH']}{os.pathsep}/usr/sbin"
    found = shutil.which("mosquitto", path=path)
    assert found, "no mosquitto: run `make setup`"
    return Path(found)


def wait_until(happened: Callable[[], bool], what: str = "it happens", timeout_s: float = WAIT_S) -> None:
    """Return once it has; fails, saying what was waited for, after timeout_s."""
    deadline = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.02)


def takes_a_frame(gateway: Process, port: int, sender: Sender) -> None:
    """A gateway that is a process gets ready, and acknowledges this terminal's first window over the broker there."""
    gateway.wait_for_line(r'^\{"ready": true', WAIT_S)
    device = Device(port)
    device.publish(sender.name, sender.frame([window(1)]))
    (told,) = device.down(1, WAIT_S)
    assert sender.open_ack(told).durable == [(1, 1)]
    device.close()


def make_certificate(name: Path) -> Path:
    """name.crt and name.key, for localhost."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    command += ["-keyout", f"{name}.key", "-out", f"{name}.crt"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return name


POINT = Point(number=1, name="furnace", kind="production", rated_power_w=10_000)


class Accepted(NamedTuple):
    """A frame as the pipeline would hand it to the journal, not decoded yet."""

    terminal: Terminal
    data: bytes
    now_s: int


def terminal_of(sender: Sender, points: dict[int, Point]) -> Terminal:
    return Terminal(sender.name, {sender.key.generation: KeyState(sender.secret)}, points)


def accept(sender: Sender, data: bytes, points: dict[int, Point] | None = None, now_s: int = NOW_S) -> Accepted:
    return Accepted(terminal_of(sender, {1: POINT} if points is None else points), data, now_s)


def batch_of(accepted: Sequence[Accepted]) -> Batch:
    """Authentic frames, decoded and judged, as the pipeline hands them to the journal."""
    frames, senders = [one.data for one in accepted], Senders.of([one.terminal for one in accepted])
    columns = decode.decode_batch(frames, senders)
    assert not decode.refusals(columns)
    now_ms = accepted[0].now_s * 1000 if accepted else 0
    findings = verify.check_batch(columns, senders, now_ms, verify.bounds_of(VerifyConfig()))
    return Batch(now_ms, frames, senders, columns, findings)


def commit(journal: Journal, accepted: Sequence[Accepted]) -> list[list[str]]:
    """What became of each record of each frame; those of one instant share a commit."""
    outcomes = []
    for _, some in itertools.groupby(accepted, lambda one: one.now_s):
        batch = batch_of(list(some))
        found = journal.commit(batch).outcomes
        for first, count in zip(batch.columns.frames.first_record, batch.columns.frames.record_count, strict=True):
            outcomes.append([OUTCOMES[one] for one in found[first : first + count]])
    return outcomes
