"""What all senders have: one message, over one connection, confirmed or not."""

from collections.abc import Mapping
from typing import Protocol

from gateway.watch.dispatch.message import Message

TIMEOUT_S = 10.0  # for each step of a connection: a server that needs longer has lost us
# Why a channel does not take a message; the last is the message's fault, not the channel's.
UNREACHABLE, DENIED, FAILING, REFUSED = REASONS = ("unreachable", "denied", "failing", "refused")


class ChannelError(Exception):
    """The message was not confirmed; reason: one of REASONS."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class ChangesRefusedError(Exception):
    """The message was confirmed, but for these of its changes: the channel will never take them; why, by id."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__("; ".join(dict.fromkeys(reasons.values())))
        self.reasons = reasons


class Sender(Protocol):
    """Of a channel."""

    def send(self, message: Message) -> None:
        """On return it is confirmed. Raises ChannelError: perhaps it arrived all the same; ChangesRefusedError."""
