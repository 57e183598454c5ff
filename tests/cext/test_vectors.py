"""The vectors against the compiled decoder, each alone and all in one batch; and the build itself."""

import importlib.machinery
import json
from pathlib import Path
from typing import Any

import pytest

from cext import decoder
from protocol import errors, frame, mac, record

VECTORS = Path(__file__).resolve().parents[2] / "protocol" / "vectors"


def load(name: str) -> list[dict[str, Any]]:
    vectors: list[dict[str, Any]] = json.loads((VECTORS / name).read_text(encoding="utf-8"))["vectors"]
    return vectors


FRAMES = [one for file in sorted(VECTORS.glob("frames_*.json")) for one in load(file.name)]


def states(vector: dict[str, Any]) -> dict[int, decoder.KeyState]:
    return {int(generation): decoder.KeyState(bytes.fromhex(one)) for generation, one in vector["keys"].items()}


def plain_slot(slot: decoder.Reading | int | None) -> dict[str, int] | int | None:
    if not isinstance(slot, tuple):
        return slot
    return {name: value for name, value in slot._asdict().items() if value is not None}


def plain_record(one: decoder.Record) -> dict[str, Any]:
    body = one.body._asdict()
    if isinstance(one.body, decoder.Window):
        body["readings"] = [plain_slot(slot) for slot in one.body.readings]
    return {"seq": one.seq, "type": one.type, "body": body}


def check(vector: dict[str, Any], got: decoder.Frame | decoder.Refusal) -> None:
    if isinstance(got, decoder.Refusal):
        assert vector["result"] == "invalid", (vector["id"], got)
        wanted = (vector["reason"], vector["offset"], vector["verdict"])
        assert (got.reason, got.offset, errors.REASONS[got.reason][0]) == wanted, vector["id"]
        return
    assert vector["result"] == "valid", (vector["id"], got)
    content = got._asdict() | {"records": [plain_record(one) for one in got.records]}
    assert content == vector["content"], vector["id"]


def test_the_decoder_is_the_compiled_one() -> None:
    """P-20: there is no slower substitute that could stand in unseen."""
    assert decoder.__file__.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES))
    assert not list(Path(decoder.__file__).parent.glob("decoder*.py"))


@pytest.mark.parametrize("vector", FRAMES, ids=[one["id"] for one in FRAMES])
def test_a_frame_gives_what_its_vector_says(vector: dict[str, Any]) -> None:
    """FR-50"""
    got = decoder.decode_batch([bytes.fromhex(vector["hex"])], [vector["terminal"]], [states(vector)])
    assert len(got) == 1
    check(vector, got[0])


def test_all_vectors_in_one_batch_give_the_same() -> None:
    """A refused frame costs its neighbours nothing."""
    got = decoder.decode_batch(
        [bytes.fromhex(one["hex"]) for one in FRAMES],
        [one["terminal"] for one in FRAMES],
        [states(one) for one in FRAMES],
    )
    assert len(got) == len(FRAMES)
    for vector, one in zip(FRAMES, got, strict=True):
        check(vector, one)


def test_no_ack_is_taken_for_a_frame() -> None:
    """S-05: what the gateway sealed is not something that a terminal said."""
    for vector in [*load("acks.json"), *load("requests.json"), *load("configurations.json"), *load("updates.json")]:
        data = bytes.fromhex(vector["hex"])
        if vector["comment"] == "a frame of the terminal itself":
            continue
        (got,) = decoder.decode_batch([data], [vector["terminal"]], [states(vector)])
        assert isinstance(got, decoder.Refusal), vector["id"]


def test_names_and_order_are_those_of_the_protocol() -> None:
    assert decoder.Frame._fields == frame.Frame._fields
    assert decoder.Record._fields == record.Record._fields
    assert decoder.Window._fields == record.Window._fields
    assert decoder.Event._fields == record.Event._fields
    assert decoder.Reading._fields == record.Reading._fields
    assert set(decoder.REASON_NAMES) - {""} == set(errors.REASONS) - {"terminal", "kind"}, "`kind` is of what goes down"


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        decoder.KeyState(bytes(size))


def test_a_key_shows_nothing() -> None:
    secret = bytes(range(32))
    key = decoder.KeyState(secret)
    shown = repr(key) + str(key) + repr(mac.Key(secret, 1))
    assert "0001020304" not in shown
    assert "\\x01\\x02" not in shown
    with pytest.raises(TypeError):
        key.__reduce_ex__(2)


def test_wrong_arguments_are_refused() -> None:
    key = {1: decoder.KeyState(bytes(32))}
    with pytest.raises(ValueError, match="terminals"):
        decoder.decode_batch([b""], [], [key])
    with pytest.raises(ValueError, match="keyrings"):
        decoder.decode_batch([b""], ["A"], [])
    with pytest.raises(TypeError):
        decoder.decode_batch(["text"], ["A"], [key])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        decoder.decode_batch([b""], [None], [key])  # type: ignore[list-item]
    assert decoder.decode_batch([], [], []) == []
