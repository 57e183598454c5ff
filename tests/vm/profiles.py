# Meter profiles to try: small right ones, to be made wrong, and those of firmware/device/profiles.
import os

from terminal import profile, profile_check

from protocol import checked

DIRECTORY = __file__[: __file__.rindex("/")] + "/../../firmware/device/profiles"


def names() -> "list[str]":
    return sorted(name[: -len(".json")] for name in os.listdir(DIRECTORY) if name.endswith(".json"))


def content() -> "dict[str, object]":
    # A small right profile, to be made wrong.
    return {
        "model": "M",
        "source": "S",
        "protocol": "modbus-rtu",
        "function": 3,
        "word_order": "high_first",
        "registers_per_read": 10,
        "readable": [["0x0000", "0x000f"], ["0x0020", "0x002f"]],
        "ratios_applied": False,
        "power_max_w": 1000,
        "quantities": {
            "p_w": {"register": "0x0000", "type": "i32", "scale": [1, 1]},
            "e_import_wh": {"register": "0x0020", "type": "u32", "scale": [10, 1]},
        },
    }


def item_content() -> "dict[str, object]":
    # A small right profile of a DL/T 645 meter.
    return {
        "model": "M",
        "source": "S",
        "protocol": "dlt645",
        "ratios_applied": False,
        "power_max_w": 1000,
        "quantities": {
            "p_w": {"item": "0x0203ff00", "type": "sbcd3", "scale": [1, 10]},
            "e_import_wh": {"item": "0x00010000", "type": "bcd4", "scale": [10, 1], "rolls_at": 100000000},
        },
        "state": [{"item": "0x040005ff", "at": 6, "type": "bits16", "bits": {"voltage_lost_a": 0}}],
    }


def parsed(described: object) -> profile.Profile:
    return profile_check.parse("m", described, "m.json")


def refused(wrong: object) -> str:
    try:
        parsed(wrong)
    except checked.ConfigError as error:
        assert error.file == "m.json"
        assert error.key
        assert error.allowed
        return error.key
    raise AssertionError("taken")
