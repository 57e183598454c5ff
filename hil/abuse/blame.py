"""Whose fault it is that a sink does not get what it should: three classes, told apart by asking the parts."""

import socket
from typing import Literal

import msgspec

# product: all parts of the bench work, and the gateway does not deliver. bench: the sink's own server does not answer.
# cable: it answers, and what lies between it and the gateway does not.
Blame = Literal["product", "bench", "cable"]
ANSWER_S = 5.0  # a busy machine accepts a connection within that


class Finding(msgspec.Struct, frozen=True):
    """Something that is wrong, and whose fault it is."""

    blame: Blame
    text: str


def blame(*, server_answers: bool, link_answers: bool) -> Blame:
    """The class of a failure that was seen while the parts were so."""
    if not server_answers:
        return "bench"
    return "product" if link_answers else "cable"


def verdict_of(findings: list[Finding], *, is_clean: bool) -> str:
    """`void`: the bench or a cable failed, so that the run says nothing of the product; else `pass` or `fail`."""
    if any(one.blame != "product" for one in findings):
        return "void"
    return "pass" if is_clean and not findings else "fail"


def answers(port: int | None) -> bool:
    """Whether somebody takes connections on this port of loopback; True where there is no port to ask."""
    if port is None:
        return True
    try:
        socket.create_connection(("127.0.0.1", port), ANSWER_S).close()
    except OSError:
        return False
    return True
