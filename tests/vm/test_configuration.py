# What a gateway may configure: the document's members, their bounds, and what lies beneath. On both interpreters.
import json

from terminal import config

from protocol import configuration, limits
from protocol.checked import ConfigError

METER = {"address": 1, "profile": "dtsu666", "point": 1, "ct_ratio": 40, "pt_ratio": 1, "timeout_ms": 300}
BUS = {"uart": 0, "baud": 9600, "parity": "N", "stop": 1, "meters": [METER]}
POINT = {"number": 1, "name": "\u7089", "kind": "production", "run_threshold_w": 500}
MEMBERS = {
    "sample_interval_s": 5,
    "buses": [BUS],
    "points": [POINT],
    "uplink": {"ack_timeout_ms": 10000, "unacked_frames": 8, "records_per_frame": 8},
}
TECHNICIANS: "dict[str, object]" = {"terminal": "T0001", "mqtt": {"host": "127.0.0.1", "port": 1883, "keepalive_s": 60}}
TECHNICIANS.update(MEMBERS)


def error_of(data: bytes) -> str:
    try:
        configuration.read_document(data, "new.json")
    except ConfigError as error:
        return str(error)
    raise AssertionError(data)


def test_any_of_the_members_may_be_there() -> None:
    # FR-46
    for names in ((), ("sample_interval_s",), ("points",), ("buses", "points"), configuration.MEMBERS):
        document = {name: MEMBERS[name] for name in names}
        assert configuration.read_document(json.dumps(document).encode(), "new.json") == document


def test_it_lies_over_the_technicians_file_and_nothing_else_is_left_of_an_earlier_one() -> None:
    # FR-46
    first = configuration.overlay(TECHNICIANS, {"sample_interval_s": 10})
    second = configuration.overlay(TECHNICIANS, {"points": [dict(POINT, run_threshold_w=900)]})
    assert config.check(first).sample_interval_s == 10
    assert config.check(second).sample_interval_s == 5
    assert config.check(second).points[0].run_threshold_w == 900
    assert config.check(configuration.overlay(TECHNICIANS, {})) == config.check(TECHNICIANS)


def test_who_it_is_and_where_it_connects_to_are_no_members() -> None:
    # FR-46
    for name in ("terminal", "mqtt", "key", "modbus", "sntp", "sampleinterval_s"):
        said = error_of(json.dumps({"sample_interval_s": 5, name: TECHNICIANS.get(name, 1)}).encode())
        assert said.startswith(f"new.json: {name}: "), said
        assert "no other keys than sample_interval_s, buses, points, uplink" in said, said


def test_each_value_has_the_bounds_that_it_has_in_the_technicians_file() -> None:
    for document, key in (
        ({"sample_interval_s": 0}, "sample_interval_s"),
        ({"sample_interval_s": 5.0}, "sample_interval_s"),
        ({"points": []}, "points"),
        ({"points": [dict(POINT, kind="pump")]}, "points[0].kind"),
        ({"points": [dict(POINT, colour=1)]}, "points[0].colour"),
        ({"points": [POINT, POINT]}, "points[1].number"),
        ({"buses": [dict(BUS, meters=[dict(METER, profile="../key")])]}, "buses[0].meters[0].profile"),
        ({"buses": [BUS, BUS]}, "buses[1].uart"),
        ({"buses": [dict(BUS, meters=[METER, METER])]}, "buses[0].meters[1].address"),
        ({"buses": [BUS], "points": [dict(POINT, number=2)]}, "buses[0].meters[0].point"),
        ({"uplink": {"ack_timeout_ms": 10000, "unacked_frames": 8}}, "uplink.records_per_frame"),
    ):
        said = error_of(json.dumps(document).encode())
        assert said.startswith(f"new.json: {key}: "), said


def test_what_is_no_json_object_is_named_as_a_whole() -> None:
    for data in (b"", b"5", b"[]", b"{", b"{}{}", b"{'a': 1}", b"\xff{}", b"{}" + b" " * 3999):
        assert error_of(data).startswith("new.json: ("), data


def test_a_switchboard_of_nine_points_fits_a_frame_and_so_do_all_points_alone() -> None:
    # FR-49
    points = [dict(POINT, number=at + 1, name=f"\u751f\u4ea7\u7ebf{at}") for at in range(limits.POINTS_MAX)]
    meters = [dict(METER, address=at + 1, point=at + 1, ct_ratio=400) for at in range(limits.POINTS_MAX)]
    nine = dict(MEMBERS, buses=[dict(BUS, meters=meters[:9])], points=points[:9])
    for document in (nine, {"points": points}, {"buses": [dict(BUS, meters=meters)]}):
        assert configuration.read_document(json.dumps(document).encode(), "new.json") == document
