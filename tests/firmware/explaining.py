"""What the tests of the technician's explainers share."""

import json
import pathlib
from typing import Any

VECTORS = pathlib.Path(__file__).parents[1] / "vectors"
VERDICTS = {"ok", "incomplete", "malformed", "unknown", "refused"}


def vectors(name: str) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = json.loads((VECTORS / name).read_text("utf-8"))["frames"]
    return frames


def bytes_of(case: dict[str, Any]) -> bytes:
    return bytes.fromhex(case["hex"])


def check_form(answer: dict[str, Any]) -> None:
    """The form that every explainer promises."""
    assert set(answer) == {"verdict", "reason", "fields"}
    assert answer["verdict"] in VERDICTS
    assert (answer["reason"] == "") == (answer["verdict"] == "ok")
    json.dumps(answer, allow_nan=False)


def has(told: Any, expected: Any) -> bool:
    """Whether `told` has all of `expected`; it may say more."""
    if isinstance(expected, dict):
        return isinstance(told, dict) and all(key in told and has(told[key], value) for key, value in expected.items())
    if isinstance(expected, list):
        return len(told) == len(expected) and all(map(has, told, expected))
    return bool(told == expected)
