# What the shared code counts on, on every interpreter that runs it.
import json
import os


def test_integers_are_exact_beyond_the_small_ones() -> None:
    assert (1 << 40) + 1 - (1 << 40) == 1
    assert int("99999999999999") * 10 // 7 == 142857142857141


def test_json_keeps_integers() -> None:
    assert json.loads(json.dumps({"energy_wh": 123456789012})) == {"energy_wh": 123456789012}


def test_the_repository_is_on_the_path() -> None:
    import protocol

    assert protocol.__name__ == "protocol"
    assert "getcwd" in dir(os)
