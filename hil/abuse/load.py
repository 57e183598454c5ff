"""Terminals that publish windows of long ago, all the time, through the broker; and what was true of each window."""

import threading
from collections.abc import Iterator
from typing import NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from gateway.intake.deliveries import UP
from protocol import frame, mac, record

TERMINALS = tuple(f"T{number:04d}" for number in range(1, 9))
POINTS = 2
EPOCH, BOOT = 7, 1
SECRET = bytes(range(32))
DAYS_BACK = 150  # of windows that there can be: 14,400 of each terminal
POWER_W = 1000  # of each point: 250 Wh a window, so that no check finds a fault
PUBLISH_TIMEOUT_S = 30.0


class Truth(NamedTuple):
    """A window as its terminal made it."""

    terminal: str
    seq: int
    start_s: int
    readings: tuple[record.Reading, ...]


def truth_of(terminal: str, seq: int, first_s: int) -> Truth:
    """Window `seq` of a terminal whose first one began at first_s. Energies and powers tell it from its neighbours."""
    shift = TERMINALS.index(terminal) * 10_000_000
    readings = tuple(_reading(shift + 1_000_000 * point + 250 * seq, seq) for point in range(1, POINTS + 1))
    return Truth(terminal, seq, first_s + 900 * seq, readings)


def _reading(energy_wh: int, seq: int) -> record.Reading:
    fields = dict.fromkeys(record.Reading._fields)
    mean_w = POWER_W + 10 * (seq % 7)  # a multiple of 10 W: two decimals of a kW are exact
    values = {"first_s": 2, "last_s": 3, "run_s": 900, "p_mean_w": mean_w, "p_min_w": mean_w - 100}
    values |= {"p_max_w": mean_w + 100, "e_import_wh": energy_wh, "flags": 0, "missed": 0, "ua_dv": 2200 + seq % 10}
    return record.Reading(**(fields | values))


class Load:
    """Publishes in the background once started, a window each trickle_s; `burst` adds to that at once. Each window is
    published once, at QoS 1.
    """

    def __init__(self, port: int, now_s: int, trickle_s: float) -> None:
        self._port = port
        self._trickle_s = trickle_s
        self.first_s = now_s // 900 * 900 - DAYS_BACK * 86_400
        self._next = dict.fromkeys(TERMINALS, 0)
        self._key = mac.Key(SECRET, 1)
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._trickle, name="load", daemon=True)
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="abuse-load", protocol=paho.MQTTv5)

    @property
    def published(self) -> int:
        """Windows so far."""
        return sum(self._next.values())

    def start(self) -> None:
        """Begin."""
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    def burst(self, windows: int) -> None:
        """So many at once, over all terminals; returns when the broker has them."""
        each = -(-windows // len(TERMINALS))
        sent = [self._publish(name, each) for name in TERMINALS]
        for one in sent:
            one.wait_for_publish(PUBLISH_TIMEOUT_S)

    def made(self) -> Iterator[Truth]:
        """All windows so far."""
        for name, count in self._next.items():
            yield from (truth_of(name, seq, self.first_s) for seq in range(count))

    def _trickle(self) -> None:
        number = 0
        while not self._end.wait(self._trickle_s):
            self._publish(TERMINALS[number % len(TERMINALS)], 1)
            number += 1

    def _publish(self, name: str, count: int) -> paho.MQTTMessageInfo:
        with self._lock:
            first = self._next[name]
            self._next[name] = first + count
            records = [_record(truth_of(name, first + number, self.first_s)) for number in range(count)]
            data = frame.seal_frame(self._key, name, EPOCH, BOOT, 900_000 * first + 1, records)
            return self._client.publish(UP + name, data, qos=1)


def _record(truth: Truth) -> bytes:
    seq = truth.seq
    window = record.Window(
        truth.start_s, 900, BOOT, 900 * (seq + 1), record.CLOCK_GATEWAY, 1, 180, list(truth.readings)
    )
    return record.encode_window(seq, window)
