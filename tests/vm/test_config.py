# terminal.json and the key file: what is right is taken, what is wrong is named. Runs on both interpreters.
import json
import os

from terminal import config

from protocol import checked

GOOD = """{"terminal": "T0001", "sample_interval_s": 5,
 "buses": [
  {"uart": 0, "baud": 9600, "parity": "N", "stop": 1, "meters": [
   {"address": 1, "profile": "dtsu666", "point": 1, "ct_ratio": 40, "pt_ratio": 1, "timeout_ms": 300},
   {"address": 2, "profile": "sdm630", "point": 2, "ct_ratio": 1, "pt_ratio": 1, "timeout_ms": 300}]},
  {"uart": 1, "baud": 2400, "parity": "E", "stop": 1, "meters": [
   {"address": 1, "profile": "dtsu666", "point": 9, "ct_ratio": 1, "pt_ratio": 1, "timeout_ms": 500}]}],
 "points": [
  {"number": 1, "name": "furnace", "kind": "production", "run_threshold_w": 500},
  {"number": 2, "name": "scrubber", "kind": "treatment", "run_threshold_w": 100},
  {"number": 9, "name": "\u529e\u516c\u697c", "kind": "other", "run_threshold_w": 0}],
 "mqtt": {"host": "127.0.0.1", "port": 1883, "keepalive_s": 60},
 "uplink": {"ack_timeout_ms": 10000, "unacked_frames": 8, "records_per_frame": 8}}"""


def good() -> dict:  # type: ignore[type-arg]
    return json.loads(GOOD)  # type: ignore[no-any-return]


def error_of(data) -> checked.ConfigError:  # type: ignore[no-untyped-def]
    try:
        config.check(data)
    except checked.ConfigError as error:
        return error
    raise AssertionError(data)


def at(data, path: str):  # type: ignore[no-untyped-def]
    """The container and the last key of a path such as buses/0/baud."""
    keys = [int(key) if key.isdigit() else key for key in path.split("/")]
    for key in keys[:-1]:
        data = data[key]
    return data, keys[-1]


def dotted(path: str) -> str:
    text = ""
    for key in path.split("/"):
        text += f"[{key}]" if key.isdigit() else (("." if text else "") + key)
    return text


def test_a_right_configuration_is_taken() -> None:
    found = config.check(good())
    assert found.terminal == "T0001"
    assert found.buses[0].meters[0] == (1, "dtsu666", 1, 40, 1, 300, 1, 9600, "N", 1)
    assert found.buses[1].parity == "E"
    assert found.points[2].number == 9
    assert found.mqtt == ("127.0.0.1", 1883, 60, None)
    assert found.uplink.unacked_frames == 8


WRONG: "list[tuple[str, tuple[object, ...]]]" = [
    ("terminal", ("", "x" * 33, "T 1", "T/1", "T#", "\u7ec8\u7aef", 5, None)),
    ("sample_interval_s", (0, 7, 120, 600, 899, 901, -1, "5", 5.0, True, None)),
    ("buses", ([], {}, None, 5, "x")),
    ("buses/0/uart", (-1, 8, "0", True)),
    ("buses/0/baud", (0, 9601, "9600", None)),
    ("buses/0/parity", ("n", "X", 0, None)),
    ("buses/0/stop", (0, 3, "1", True)),
    ("buses/0/meters", ([], None)),
    (
        "buses/0/meters/0/address",
        (0, 248, "1", 1.0, True, "AAAAAAAAAAAA", "999999999999", "20260301001", "20260301001A"),
    ),
    ("buses/0/meters/0/circuit", (0, 33, "1", None)),
    ("buses/0/meters/0/baud", (0, 9601, "9600", None)),
    ("buses/0/meters/0/parity", ("e", 1, None)),
    ("buses/0/meters/0/stop", (0, "1", None)),
    ("buses/0/meters/0/profile", ("", "../key", "A", 5)),
    ("buses/0/meters/0/point", (0, 33, 7, "1")),
    ("buses/0/meters/0/ct_ratio", (0, -1, 10001, 1.5)),
    ("buses/0/meters/0/pt_ratio", (0, "1")),
    ("buses/0/meters/0/timeout_ms", (9, 10001, None)),
    ("points", ([], None)),
    ("points/0/number", (0, 33, "1")),
    ("points/0/name", ("", 5, "x" * 65)),
    ("points/0/kind", ("", "Production", 1)),
    ("points/0/run_threshold_w", (-1, 2147483648, 0.5)),
    ("mqtt/host", ("", 5, None)),
    ("mqtt/port", (0, 65536, "1883")),
    ("mqtt/keepalive_s", (0, 65536)),
    ("uplink/ack_timeout_ms", (99, 86400001, None)),
    ("uplink/unacked_frames", (0, 4097)),
    ("uplink/records_per_frame", (0, 65)),
]


def test_a_wrong_value_is_refused_by_its_key_with_what_is_allowed() -> None:
    for path, values in WRONG:
        for value in values:
            data = good()
            place, key = at(data, path)
            place[key] = value
            error = error_of(data)
            assert error.key == dotted(path), (path, value, error.key)
            assert error.allowed, path
            assert "terminal.json" in str(error)
            assert "allowed / \u5141\u8bb8" in str(error)


def test_an_sntp_server_is_optional_and_its_port_too() -> None:
    assert config.check(good()).sntp is None
    for table, found in (
        ({"host": "ntp.plant"}, ("ntp.plant", 123)),
        ({"host": "10.0.0.1", "port": 1123}, ("10.0.0.1", 1123)),
    ):
        data = good()
        data["sntp"] = table
        assert config.check(data).sntp == found
    for wrong, key in (
        ({}, "sntp.host"),
        ({"host": ""}, "sntp.host"),
        ({"host": "ntp", "port": 0}, "sntp.port"),
        ({"host": "ntp", "keys": 1}, "sntp.keys"),
        ("ntp", "sntp."),
        (None, "sntp."),
    ):
        data = good()
        data["sntp"] = wrong
        assert error_of(data).key == key, wrong


def test_an_interval_that_does_not_divide_the_window_is_refused_with_those_that_do() -> None:
    # FR-46, P-168
    for interval_s in range(1, 901):
        data = good()
        data["sample_interval_s"] = interval_s
        if 900 % interval_s == 0:
            assert config.check(data).sample_interval_s == interval_s
        else:
            assert ", 150, 180, 225, 300, 450, 900" in error_of(data).allowed


def test_a_missing_or_unknown_key_is_named() -> None:
    for path in ("terminal", "buses/0/baud", "buses/1/meters/0/point", "points/1/kind", "mqtt/port", "uplink"):
        data = good()
        place, key = at(data, path)
        del place[key]
        assert error_of(data).key == dotted(path)
    for path in ("extra", "buses/0/Baud", "buses/0/meters/1/adress", "points/0/unit", "mqtt/user", "uplink/x"):
        data = good()
        place, key = at(data, path)
        place[key] = 1
        error = error_of(data)
        assert error.key == dotted(path)
        assert "no other keys" in error.allowed


def test_what_is_no_object_is_refused() -> None:
    for text in ("null", "[]", "5", '"x"'):
        assert error_of(json.loads(text)).key == "(top)"
    for path in ("mqtt", "uplink", "buses/0", "points/0"):
        data = good()
        place, key = at(data, path)
        place[key] = []
        assert error_of(data).key == dotted(path) + "."


def test_nothing_is_there_twice() -> None:
    for path, value in (
        ("buses/1/uart", 0),
        ("buses/0/meters/1/address", 1),
        ("buses/0/meters/1/point", 1),
        ("buses/1/meters/0/point", 2),
        ("points/2/number", 1),
    ):
        data = good()
        place, key = at(data, path)
        place[key] = value
        assert error_of(data).key == dotted(path), path


def test_a_meter_may_have_a_line_of_its_own_and_an_address_of_twelve_digits() -> None:
    data = good()
    data["buses"][0]["meters"][0].update({"address": "202603010012", "baud": 2400, "parity": "E"})
    first, second = config.check(data).buses[0].meters
    assert (first.address, first.baud, first.parity, first.stop) == ("202603010012", 2400, "E", 1)
    assert (second.address, second.baud, second.parity, second.stop) == (2, 9600, "N", 1)


def test_circuits_of_one_meter_share_an_address_and_nothing_else_may() -> None:
    data = good()
    first, second = data["buses"][0]["meters"]
    second.update({"address": 1, "profile": "dtsu666", "circuit": 2})
    assert [meter.circuit for meter in config.check(data).buses[0].meters] == [1, 2]
    second["profile"] = "sdm630"
    assert error_of(data).key == "buses[0].meters[1].profile"
    second.update({"profile": "dtsu666", "baud": 2400})
    assert error_of(data).key == "buses[0].meters[1].profile"
    second.update({"baud": 9600, "circuit": 1})
    assert error_of(data).key == "buses[0].meters[1].address"
    first["address"] = second["address"] = "202603010012"
    assert error_of(data).key == "buses[0].meters[1].address"


def test_one_address_on_two_buses_is_two_meters() -> None:
    assert config.check(good()).buses[1].meters[0].address == 1


def test_a_point_without_a_meter_is_refused() -> None:
    data = good()
    data["points"].append({"number": 3, "name": "x", "kind": "other", "run_threshold_w": 0})
    assert error_of(data).key == "points[3].number"


def test_files_are_loaded_or_named() -> None:
    path = f"test_config_{id(config)}.json"
    try:
        for text, key in (
            (GOOD[:-1], "(file)"),
            (GOOD[:-3], "(file)"),
            (GOOD + "x", "(file)"),
            (GOOD + GOOD, "(file)"),
            (GOOD.replace("furnace", 'fur}\\"{na'), None),
            (" " * 20000 + GOOD, "(file)"),
            ("", "(file)"),
            ("5", "(file)"),
            ("[]", "(top)"),
        ):
            with open(path, "w") as file:
                file.write(text)
            try:
                config.load(path)
            except checked.ConfigError as error:
                assert (error.file, error.key) == (path, key), text
            else:
                assert key is None, text
        with open(path, "w") as file:
            file.write(GOOD)
        assert config.load(path).terminal == "T0001"
    finally:
        os.remove(path)
    try:
        config.load("no/such/file.json")
    except checked.ConfigError as error:
        assert error.file == "file.json"
        return
    raise AssertionError


def test_a_key_is_loaded_and_never_shown() -> None:
    # S-20
    secret = "00112233445566778899aabbccddeeff" * 2
    path = f"test_key_{id(config)}"
    try:
        with open(path, "w") as file:
            file.write(json.dumps({"generation": 7, "secret": secret}))
        key = config.load_key(path)
        assert key.generation == 7
        assert "0011" not in repr(key)
        for data in (
            {"generation": 0, "secret": secret},
            {"generation": 256, "secret": secret},
            {"generation": 1, "secret": secret[:-1]},
            {"generation": 1, "secret": secret[:-1] + "g"},
            {"generation": 1, "secret": secret[:-2] + "  "},
            {"generation": 1, "secret": 5},
            {"generation": 1},
            {"generation": 1, "secret": secret, "x": 1},
        ):
            with open(path, "w") as file:
                file.write(json.dumps(data))
            try:
                config.load_key(path)
            except checked.ConfigError as error:
                assert "0011" not in str(error) + repr(error), data
            else:
                raise AssertionError(data)
    finally:
        os.remove(path)


def test_modbus_is_an_uplink_or_stands_beside_one() -> None:
    data = good()
    data["modbus"] = {"unit": 7, "port": 502}
    assert config.check(data).modbus == (7, 502, 0, 0, "N", 1)
    del data["mqtt"]
    assert config.check(data).mqtt is None
    data["modbus"] = {"unit": 7, "uart": 2, "baud": 9600, "parity": "E", "stop": 1}
    assert config.check(data).modbus == (7, 0, 2, 9600, "E", 1)
    data["modbus"]["uart"] = 1
    assert error_of(data).key == "modbus.uart", "a meters' bus"
    del data["modbus"]
    assert error_of(data).key == "mqtt", "there must be one"
