"""The decode stage: one answer a frame, in order, by the compiled decoder."""

import sys

import pytest

from gateway import decode
from gateway.registry import Senders
from tests.gateway.support import Sender, terminal_of, window


def test_each_frame_has_its_own_answer_and_neighbours_are_unharmed() -> None:
    """S-05: a frame of A under B's topic is refused."""
    one, other = Sender("A"), Sender("B", b"b" * 32)
    a, b = terminal_of(one, {}), terminal_of(other, {})
    good, foreign = one.frame([window(1)]), other.frame([window(1)])
    columns = decode.decode_batch([good, foreign, good[:-1], foreign], Senders.of([a, a, a, b]))
    assert {number: one.reason for number, one in decode.refusals(columns).items()} == {1: "mac", 2: "truncated"}
    assert list(columns.frames.record_count) == [1, 0, 0, 1]


def test_a_batch_without_a_refusal_says_so() -> None:
    sender = Sender()
    assert (
        decode.refusals(decode.decode_batch([sender.frame([window(1)])], Senders.of([terminal_of(sender, {})]))) == {}
    )


def test_the_decoder_is_the_compiled_one() -> None:
    assert decode.decode_batch.__globals__["decoder"] is sys.modules["cext.decoder"]
    assert str(sys.modules["cext.decoder"].__file__).endswith(".so")


def test_without_the_compiled_decoder_the_gateway_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cext.decoder", None)
    monkeypatch.delitem(sys.modules, "gateway.decode")
    monkeypatch.delattr("cext.decoder")
    with pytest.raises(ImportError):
        __import__("gateway.decode")
