"""Bytes that reporting nine points costs a link a day: MQTT, TLS, what keeps a connection alive, and TCP/IP's headers.

Of TCP/IP 40 bytes a segment, a segment an MQTT packet, and one that acknowledges it (RFC 9293 and RFC 791, no options).
"""

import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from hil import micropython
from hil.benchmarks.ingest.load import windows
from hil.benchmarks.peers.readings import points_json
from hil.benchmarks.terminal.life import Lived
from hil.broker import Broker
from hil.flash_life import DAY_WINDOWS, POINTS
from hil.link import Link
from hil.lone_terminal import MOSQUITTO
from hil.process import BenchError
from protocol import record

DAY_S = 86_400
HEADERS = 2 * 40
PING = 2 + 2  # PINGREQ and PINGRESP
TLS_RECORD = 5 + 8 + 16  # RFC 5246 and 5288: header, nonce, tag, around each packet
OUR_PING_S = 30  # half of a keepalive of 60 s (firmware/device/terminal/mqtt.py)
TASMOTA_PERIOD_S = 300  # TelePeriod, as it comes
TASMOTA_PING_S = 30  # MQTT_KEEPALIVE, as it comes
TASMOTA_TOPIC = "tele/tasmota_A1B2C3/SENSOR"
# What Tasmota tells of a three-phase meter, digits and members as in its documentation (Modbus energy meter, SENSOR)
TASMOTA = {
    "Time": "2026-03-02T08:15:00",
    "ENERGY": {
        "TotalStartTime": "2026-01-01T00:00:00", "Total": 12345.678, "Yesterday": 123.456, "Today": 45.678,
        "Period": 123, "Power": [12345, 12345, 12345], "ApparentPower": [12999, 12999, 12999],
        "ReactivePower": [1234, 1234, 1234], "Factor": [0.95, 0.95, 0.95], "Frequency": 50,
        "Voltage": [230, 230, 230], "Current": [12.345, 12.345, 12.345],
    },
}  # fmt: skip


class Wire(NamedTuple):
    """Bytes a day, both ways. mqtt: with TLS around it where there is one. pings: with their headers."""

    mqtt: int
    pings: int
    headers: int

    @property
    def total(self) -> int:
        """All."""
        return self.mqtt + self.pings + self.headers


class Published(NamedTuple):
    """umqtt's way. blocked_ms: of each publish, during which nothing else is done."""

    wire: Wire
    blocked_ms: list[float]
    cpu_ms_per_window: float


def ours(lived: Lived, *, secure: bool) -> Wire:
    """A life's bytes as a day's."""
    share = DAY_WINDOWS / lived.windows
    return Wire(
        round(lived.link_bytes * share),
        _pings(OUR_PING_S, 2 * TLS_RECORD if secure else 0),
        round(lived.packets * HEADERS * share),
    )


def tasmota() -> Wire:
    """By its format: a device a point, QoS 0, which repeats nothing. Its STATE messages are left out."""
    messages = POINTS * DAY_S // TASMOTA_PERIOD_S
    size = len(json.dumps(TASMOTA, separators=(",", ":"))) + len(TASMOTA_TOPIC) + 2
    return Wire(messages * (size + 3), POINTS * _pings(TASMOTA_PING_S), messages * HEADERS)  # 3: type and length


def umqtt(seed: int, weather: str, count: int) -> Published:
    """By running it on the VM: a window's nine readings as one JSON message, QoS 1. Raises BenchError."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Broker(MOSQUITTO, folder / "broker") as broker, Link(folder / "link", broker.port) as link:
            broker.start()
            port = link.start()
            link.set(profile=weather)
            (folder / "messages").write_bytes(b"\n".join(_messages(seed, count)))
            status, said = micropython.run("umqtt_way", port, "plant/readings", folder / "messages", vm=32)
            if status:
                raise BenchError(f"umqtt_way: {said[-2000:]}")
            told: dict[str, Any] = json.loads(said)
            link.process.wait_for_line(r'^\{"connection"', 5)
            carried = sum(row["up"] + row["down"] for row in link.ended())
    share = DAY_WINDOWS / count
    wire = Wire(round(carried * share), 0, 2 * HEADERS * DAY_WINDOWS)  # its keepalive is off, as it comes
    return Published(wire, sorted(told["blocked_ms"]), told["cpu_ms"] / count)


def _messages(seed: int, count: int) -> list[bytes]:
    raws = windows(count, seed, DAY_S)
    return [json.dumps(points_json("T0001", record.decode_record(raw).body)).encode() for raw in raws]


def _pings(every_s: int, around: int = 0) -> int:
    return DAY_S // every_s * (PING + around + 2 * HEADERS)
