"""The file that an operator writes: what is sent of it, and what is said of a wrong one."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.registry import Point, Terminal
from gateway.wanted.document import document_of
from protocol import limits
from protocol.checked import ConfigError

POINT = {"number": 1, "name": "炉", "kind": "production", "run_threshold_w": 500}
METER = {"address": 1, "profile": "dtsu666", "point": 1, "ct_ratio": 40, "pt_ratio": 1, "timeout_ms": 300}
BUS = {"uart": 0, "baud": 9600, "parity": "N", "stop": 1, "meters": [METER]}
BASE = {
    "terminal": "T0001",
    "sample_interval_s": 5,
    "buses": [BUS],
    "points": [POINT],
    "mqtt": {"host": "127.0.0.1", "port": 1883, "keepalive_s": 60},
    "uplink": {"ack_timeout_ms": 10000, "unacked_frames": 8, "records_per_frame": 8},
}
KNOWN = Terminal("T0001", {}, {number: Point(number=number, name="x", kind="other") for number in (1, 2)})


def sent(folder: Path, text: str | bytes, base: Any = None, terminals: tuple[Terminal, ...] = (KNOWN,)) -> bytes:
    (folder / "new.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    if base is not None:
        (folder / "terminal.json").write_text(json.dumps(base))
    return document_of(folder / "new.json", folder / "terminal.json" if base is not None else None, terminals)


def error_of(*args: Any, **more: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        sent(*args, **more)
    return str(caught.value)


def test_it_is_sent_without_blanks(tmp_path: Path) -> None:
    pretty = json.dumps({"points": [POINT], "sample_interval_s": 10}, indent=8, ensure_ascii=False)
    found = sent(tmp_path, pretty + " " * 9000)
    assert json.loads(found) == {"points": [POINT], "sample_interval_s": 10}
    assert b" " not in found
    assert "炉".encode() in found
    assert sent(tmp_path, "{}") == b"{}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"\xff", "new.json: (file): 'byte 0'; allowed / 允许: UTF-8"),
        ("{", "new.json: (file): "),
        ('{"sample_interval_s" 5}', "Expecting ':' delimiter: line 1 column 22"),
        ("[]", "new.json: (top): []; allowed / 允许: an object"),
        ("[" * 50_000, "new.json: (file): "),
        ("9" * 70_000, "new.json: (file): 'too long'"),
        ('{"uplink": {"ack_timeout_ms": 1, "ack_timeout_ms": 2}}', "new.json: ack_timeout_ms: 'twice'"),
        ('{"mqtt": {"host": "evil.example"}}', "new.json: mqtt: "),
        ('{"sample_interval_s": 0}', "new.json: sample_interval_s: 0; allowed / 允许: an integer, 1 to 900"),
        ('{"sample_interval_s": NaN}', "new.json: sample_interval_s: nan"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_key_and_what_is_allowed(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    """P-104"""
    assert said in error_of(tmp_path, text)


def test_what_does_not_fit_a_frame_is_refused_with_its_size(tmp_path: Path) -> None:
    points = [{**POINT, "number": number, "name": "x" * 64} for number in range(1, 33)]
    buses = [{**BUS, "meters": [{**METER, "address": number, "point": number} for number in range(1, 33)]}]
    said = error_of(tmp_path, json.dumps({"points": points, "buses": buses}), terminals=())
    assert said.startswith("new.json: (file): '")
    assert said.endswith(f"bytes'; allowed / 允许: at most {limits.DOCUMENT_BYTES_MAX} bytes")


def test_with_the_terminals_own_file_both_are_checked_together(tmp_path: Path) -> None:
    """P-104"""
    two = json.dumps({"points": [POINT, {**POINT, "number": 2}]})
    assert sent(tmp_path, two)
    said = error_of(tmp_path, two, BASE)
    assert said.startswith("terminal.json + new.json: points[1].number: 2")
    both = json.dumps(
        {
            "points": [POINT, {**POINT, "number": 2}],
            "buses": [{**BUS, "meters": [METER, {**METER, "address": 2, "point": 2}]}],
        }
    )
    assert sent(tmp_path, both, BASE)
    assert error_of(tmp_path, "{}", {"terminal": "T0001"}).startswith("terminal.json + new.json: sample_interval_s")
    assert error_of(tmp_path, "{}", []).startswith("terminal.json: (top)")


def test_a_point_that_the_registry_does_not_have_is_refused(tmp_path: Path) -> None:
    text = json.dumps({"points": [{**POINT, "number": 3}]})
    assert error_of(tmp_path, text) == (
        "new.json: points[0].number: 3; allowed / 允许: a point of T0001 in terminals.toml: 1, 2"
    )
    assert sent(tmp_path, text, terminals=(Terminal("T0002", {}, {}),))  # its points are not registered


def test_a_ratio_that_was_commissioned_is_not_changed_from_afar(tmp_path: Path) -> None:
    """S-29"""
    point = Point(number=1, name="x", kind="other", ct_ratio=40, pt_ratio=1)
    known = (Terminal("T0001", {}, {1: point}),)
    same = json.dumps({"buses": [BUS]})
    assert json.loads(sent(tmp_path, same, terminals=known)) == {"buses": [BUS]}
    for name, value in (("ct_ratio", 80), ("pt_ratio", 100)):
        other = json.dumps({"buses": [{**BUS, "meters": [{**METER, name: value}]}]})
        said = error_of(tmp_path, other, terminals=known)
        assert f"buses[0].meters[0].{name}: {value}; allowed" in said
        assert "T0001/1 was commissioned" in said
        assert sent(tmp_path, other)  # of points without a report nothing is known
