"""The decode stage: one answer a frame, in order, by the compiled decoder."""

import sys

import pytest

from cext.decoder import Frame, KeyState, Refusal
from gateway import decode
from gateway.registry import Registry, Terminal
from tests.gateway.support import Sender, window


def admitted(*senders: Sender) -> Registry:
    return Registry([Terminal(one.name, {1: one.key}, {1: KeyState(one.secret)}, {}) for one in senders])


def test_each_frame_has_its_own_answer_and_neighbours_are_unharmed() -> None:
    """S-05: a frame of A under B's topic is refused."""
    one, other = Sender("A"), Sender("B", b"b" * 32)
    good, foreign = one.frame([window(1)]), other.frame([window(1)])
    answers = decode.decode_batch(
        [("A", good), ("A", foreign), ("nobody", good), ("", good), ("A", good[:-1]), ("B", foreign)],
        admitted(one, other),
    )
    assert [type(answer) for answer in answers] == [Frame, Refusal, Refusal, Refusal, Refusal, Frame]
    assert [answer.reason for answer in answers if isinstance(answer, Refusal)] == [
        "mac",
        "terminal",
        "terminal",
        "truncated",
    ]


def test_the_decoder_is_the_compiled_one() -> None:
    assert decode.decode_batch.__globals__["decoder"] is sys.modules["cext.decoder"]
    assert str(sys.modules["cext.decoder"].__file__).endswith(".so")


def test_without_the_compiled_decoder_the_gateway_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cext.decoder", None)
    monkeypatch.delitem(sys.modules, "gateway.decode")
    monkeypatch.delattr("cext.decoder")
    with pytest.raises(ImportError):
        __import__("gateway.decode")
