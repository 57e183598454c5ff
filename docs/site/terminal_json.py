"""terminal.json's keys, as the terminal's check says them: each is made wrong in a whole file, and the error read."""

import copy
from collections.abc import Iterator
from typing import Any

import firmware  # noqa: F401  makes `terminal` importable

# isort: split
from terminal.config import check

from docs.site.declared import Key
from protocol.checked import ConfigError

JSON = Any
FILE: dict[str, JSON] = {
    "terminal": "T0001",
    "sample_interval_s": 5,
    "buses": [
        {
            "uart": 1,
            "baud": 9600,
            "parity": "E",
            "stop": 1,
            "meters": [
                {
                    "address": 1,
                    "profile": "sdm630",
                    "point": 1,
                    "ct_ratio": 1,
                    "pt_ratio": 1,
                    "timeout_ms": 200,
                    "circuit": 1,
                    "baud": 9600,
                    "parity": "E",
                    "stop": 1,
                }
            ],
        }
    ],
    "points": [{"number": 1, "name": "furnace", "kind": "production", "run_threshold_w": 500}],
    "uplink": {"ack_timeout_ms": 30000, "unacked_frames": 8, "records_per_frame": 16},
    "mqtt": {"host": "10.0.0.1", "port": 8883, "keepalive_s": 60, "tls": {"server_name": "mqtt.example.org"}},
    "modbus": {"unit": 1, "uart": 2, "baud": 9600, "parity": "E", "stop": 1},
    "sntp": {"host": "10.0.0.1", "port": 123},
}
OVER_TCP = {"unit": 1, "port": 502}  # in the place of "modbus" above

MEANING = {
    "terminal": "its id, as in terminals.toml",
    "sample_interval_s": "between two samples of each point",
    "buses": "the RS-485 buses",
    "buses[].uart": "the board's UART; which pins: the board's file",
    "buses[].baud": "of all its meters that say nothing else",
    "buses[].parity": "likewise",
    "buses[].stop": "stop bits, likewise",
    "buses[].meters": "what answers on it",
    "buses[].meters[].address": "Modbus unit, or a DL/T 645 meter's 12 digits",
    "buses[].meters[].profile": "its model: `wattline field profiles`",
    "buses[].meters[].point": "the point that it measures",
    "buses[].meters[].ct_ratio": "what its readings are multiplied by, where the meter does not",
    "buses[].meters[].pt_ratio": "likewise",
    "buses[].meters[].timeout_ms": "until its answer begins",
    "buses[].meters[].circuit": "of a meter with several circuits: which one; 1 if left out",
    "buses[].meters[].baud": "where it is not the bus's",
    "buses[].meters[].parity": "likewise",
    "buses[].meters[].stop": "likewise",
    "points": "the measured feeders",
    "points[].number": "as in terminals.toml",
    "points[].name": "for people",
    "points[].kind": "what it feeds",
    "points[].run_threshold_w": "above this it runs (run_s)",
    "uplink": "how it sends",
    "uplink.ack_timeout_ms": "until a frame without an ack is sent again",
    "uplink.unacked_frames": "under way at a time",
    "uplink.records_per_frame": "at most",
    "mqtt": "the way by MQTT; this, or modbus, or both",
    "mqtt.host": "the broker",
    "mqtt.port": "1883, or 8883 with TLS",
    "mqtt.keepalive_s": "MQTT's keep-alive",
    "mqtt.tls": "TLS, with ca.der, client.der and client.key.der beside this file",
    "mqtt.tls.server_name": "the name that the broker's certificate has to bear",
    "modbus": "its mailbox and live values for a master; with `port` over TCP, else on a UART",
    "modbus.unit": "its unit number",
    "modbus.uart": "serial: a UART that is no meters' bus",
    "modbus.baud": "serial",
    "modbus.parity": "serial",
    "modbus.stop": "serial",
    "modbus.port": "over TCP",
    "sntp": "a time server of the plant; asked only while the gateway does not tell the time",
    "sntp.host": "its address",
    "sntp.port": "123 if left out",
}


def rows() -> list[Key]:
    """Every key of the file. AssertionError where this page lacks one that the terminal reads."""
    over_tcp = {**copy.deepcopy(FILE), "modbus": OVER_TCP}
    found = dict(_keys(FILE)) | {name: key for name, key in _keys(over_tcp) if name not in dict(_keys(FILE))}
    read = {*_read(FILE), *_read(over_tcp)}
    assert found.keys() == MEANING.keys() == read, (found.keys() ^ MEANING.keys()) | (read ^ MEANING.keys())
    return [found[name] for name in MEANING]


def _read(file: dict[str, JSON]) -> Iterator[str]:
    """Every key that the terminal asks for: it names them where one stands that it does not know."""
    tables = [place for place in [(), *_places(file)] if isinstance(_at(file, place), dict)]
    in_lists = [(*place, 0) for place in _places(file) if isinstance(_at(file, place), list)]
    for place in tables + in_lists:
        known = _refusal(file, (*place, "?"), is_left_out=False).removeprefix("no other keys than ")
        yield from (_name((*place, key)) for key in known.split(", "))


def _name(place: tuple[str | int, ...]) -> str:
    return ".".join(map(str, place)).replace(".0", "[]")


def _at(file: JSON, place: tuple[str | int, ...]) -> JSON:
    for step in place:
        file = file[step]
    return file


def _keys(file: dict[str, JSON]) -> Iterator[tuple[str, Key]]:
    check(file)
    for place in _places(file):
        name = _name(place)
        allowed = _refusal(file, place, is_left_out=False)
        must = "must be there" if _refusal(file, place, is_left_out=True) else "may be left out"
        yield name, Key(name, allowed, must, MEANING[name])


def _places(value: JSON, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to each key, its table first; of lists the first item stands for all."""
    for step, inner in value.items() if isinstance(value, dict) else [(0, value[0])] if isinstance(value, list) else []:
        if not isinstance(step, int):
            yield (*place, step)
        yield from _places(inner, (*place, step))


def _refusal(file: dict[str, JSON], place: tuple[str | int, ...], *, is_left_out: bool) -> str:
    """What is allowed there, as the terminal says when it is not; "" if it takes the file."""
    broken = copy.deepcopy(file)
    table = _at(broken, place[:-1])
    if is_left_out:
        del table[place[-1]]
    else:
        table[place[-1]] = None
    try:
        check(broken)
    except ConfigError as error:
        return error.allowed
    return ""
