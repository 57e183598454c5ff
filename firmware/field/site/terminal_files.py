"""What of a plan lies on a terminal's flash: terminal.json, network.json. (Its key is made while it is provisioned.)"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from firmware.field.site.plan import RUN_SHARE, Broker, Bus, Point, Sntp, Terminal

_PASSWORD_BYTES_MAX = 256  # WPA2 has 63 characters
# As terminal.uplink counts: what a board's heap has room for, and the longest that a slow mobile link took.
UPLINK = {"ack_timeout_ms": 30000, "unacked_frames": 8, "records_per_frame": 16}


def configuration_of(terminal: Terminal, broker: Broker, sntp: Sntp | None) -> dict[str, Any]:
    """terminal.json of a terminal, unchecked."""
    made: dict[str, Any] = {
        "terminal": terminal.id,
        "sample_interval_s": terminal.sample_interval_s,
        "buses": [_bus(one) for one in terminal.bus],
        "points": [
            {"number": one.number, "name": one.name[:64], "kind": one.role, "run_threshold_w": run_threshold_w(one)}
            for one in terminal.points
        ],
        "mqtt": {"host": broker.host, "port": broker.port, "keepalive_s": broker.keepalive_s},
        "uplink": UPLINK,
    }
    if broker.server_name is not None:
        made["mqtt"]["tls"] = {"server_name": broker.server_name}
    if sntp is not None:
        made["sntp"] = {"host": sntp.host, "port": sntp.port}
    return made


def run_threshold_w(point: Point) -> int:
    """The power above which a point runs."""
    return point.run_threshold_w or max(1, point.rated_power_w // RUN_SHARE)


def network_of(ssid: str, password: str) -> dict[str, str]:
    """network.json: what boards with Wi-Fi join."""
    return {"ssid": ssid, "password": password}


def password_in(file: Path) -> str:
    """The line in a password's file. Raises OSError, ValueError; neither shows it."""
    with file.open("rb") as stream:
        data = stream.read(_PASSWORD_BYTES_MAX + 1)
    try:
        if len(data) <= _PASSWORD_BYTES_MAX:
            return data.decode("utf-8-sig").strip()  # Windows' editor writes a mark first
    except UnicodeDecodeError:
        pass  # its text quotes what it read
    raise ValueError("not a line of UTF-8 / 不是一行 UTF-8 文字")


def _bus(bus: Bus) -> dict[str, Any]:
    meters = [_meter(bus, point) for point in bus.point]
    return {"uart": bus.uart, "baud": bus.baud, "parity": bus.parity, "stop": bus.stop, "meters": meters}


def _meter(bus: Bus, point: Point) -> dict[str, Any]:
    made = {
        "address": point.address,
        "profile": point.profile,
        "point": point.number,
        "ct_ratio": point.ct_ratio,
        "pt_ratio": point.pt_ratio,
        "timeout_ms": bus.timeout_ms,
        "circuit": point.circuit,
    }
    lines = {"baud": point.baud, "parity": point.parity, "stop": point.stop}
    return made | {name: value for name, value in lines.items() if value is not None}
