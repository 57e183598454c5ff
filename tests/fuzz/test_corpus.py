"""The kept corpus through both decoders, and some seconds of mutations of it; `make fuzz` goes on from there."""

import os
import random
import time

import pytest

from cext import decoder
from protocol import frame
from protocol.errors import FrameError
from tests.cext.both import expect_same
from tests.cext.mutation import mutated
from tests.fuzz import inputs

MUTATIONS = 40_000  # some 3 s


def test_the_kept_corpus() -> None:
    """P-24: every input that once took a new way through the rules gives the same from both decoders."""
    kept = inputs.kept()
    got = expect_same([inputs.frame_of(data) for data in kept])
    reasons = {one.reason for one in got if isinstance(one, decoder.Refusal)}
    never = {"", "kid", "oversize"}  # there is one key, known to both; and no input is that long
    assert reasons >= set(decoder.REASON_NAMES) - never
    assert sum(isinstance(one, decoder.Frame) for one in got) >= 3
    assert sum(map(len, kept)) < 64 * 1024


def test_fresh_mutations_of_the_corpus() -> None:
    """P-24: other ones in each run, of a commit the same; a difference names the bytes that replay it."""
    rnd = random.Random(int(os.environ.get("WATTLINE_SEED", time.time_ns())))
    kept = inputs.kept()
    for _ in range(MUTATIONS // 200):
        picked = [rnd.choice(kept) for _ in range(200)]
        expect_same([inputs.frame_of(data[:1] + mutated(rnd, data[1:])) for data in picked])


def test_a_difference_is_found_and_says_what_replays_it(monkeypatch: pytest.MonkeyPatch) -> None:
    data = inputs.PAYLOAD + bytes.fromhex("8501")

    def other(*_: object) -> None:
        raise FrameError("type", 3)

    monkeypatch.setattr(frame, "open_frame", other)
    with pytest.raises(AssertionError, match=f"replay: .*{inputs.frame_of(data).hex()}"):
        inputs.try_one(data)
