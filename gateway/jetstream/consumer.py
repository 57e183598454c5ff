"""The stream's records from a place on, in order and without a hole, as one connection brings them.

The consumer at the server is forgotten with the connection: how far a follower is, its own journal says (position.py).
A place that the server kept would be ahead of a journal that was put back.
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from gateway.config import JetStreamConfig
from gateway.jetstream import stream
from gateway.jetstream.client import Client, NatsError
from gateway.jetstream.messages import records_of
from gateway.jetstream.parser import Message

BATCH = 1000  # messages asked for at once: 1 MiB of frames of a window, at most 4
EXPIRES_S = 2.0  # a request that nothing answers ends so soon, and says so: the sign that the server lives
SILENT_S = EXPIRES_S + 3.0
FORGET_S = 60.0  # after which the server drops a consumer of a connection that is gone
_NS = 10**9
_HEARTBEAT, _NOTHING, _EXPIRED = 100, 404, 408
_REPLY_WORDS = 9  # $JS.ACK.stream.consumer.delivered.stream's seq.consumer's seq.time in ns.pending


class Taken(NamedTuple):
    """A message of the stream. seq: its place; time_ms: when a quorum had it, by the clock of the stream's leader."""

    seq: int
    time_ms: int
    subject: bytes
    body: bytes


class Consumer:
    """Begins anew, where it is told, after any NatsError."""

    def __init__(self, config: JetStreamConfig, client: Client, steady_s: Callable[[], float]) -> None:
        self._config, self._client, self._steady_s = config, client, steady_s
        self._name = ""
        self._inbox = b""
        self._owed = 0  # messages that the last request still allows
        self._count = 0  # of the consumer's messages so far: a number is missing where the server dropped one
        self._heard_s = 0.0

    def begin(self, place_of: Callable[[str, int], int]) -> None:
        """From behind place_of(when the stream was made, its last seq) on. Raises NatsError."""
        found = stream.ensure(self._client, self._config)
        after = place_of(str(found["created"]), int(found["state"]["last_seq"]))
        self._inbox = self._client.inbox()
        self._name = self._inbox.decode().rpartition("_INBOX.")[2].replace(".", "-")
        config = {"name": self._name, "deliver_policy": "by_start_sequence", "opt_start_seq": after + 1,
                  "ack_policy": "none", "replay_policy": "instant", "filter_subject": records_of(self._config.stream),
                  "inactive_threshold": int(FORGET_S * _NS), "num_replicas": 1, "mem_storage": True}  # fmt: skip
        asked = {"stream_name": self._config.stream, "config": config}
        told = stream.call(self._client, f"CONSUMER.CREATE.{self._config.stream}.{self._name}", asked)
        stream.raise_if_refused(told)
        self._owed, self._count, self._heard_s = 0, 0, self._steady_s()

    def take(self, wait_s: float) -> list[Taken]:
        """What comes within wait_s. Raises NatsError."""
        if self._owed <= 0:
            asked = msgspec.json.encode({"batch": BATCH, "expires": int(EXPIRES_S * _NS)})
            to = f"$JS.API.CONSUMER.MSG.NEXT.{self._config.stream}.{self._name}".encode()
            self._client.send(to, self._inbox, asked)
            self._owed, self._heard_s = BATCH, self._steady_s()  # who was not asked for long was silent by right
        came = self._client.receive(wait_s)
        found = [self._taken(one) for one in came if one.status == 0 and one.reply]
        for one in came:
            if one.status and one.subject == self._inbox:
                self._end_of_request(one)
        now_s = self._steady_s()
        if came:
            self._heard_s = now_s
        elif now_s > self._heard_s + SILENT_S:
            raise NatsError("silent", f"{self._client.server}: nothing heard for {SILENT_S:g} s")
        return found

    def _end_of_request(self, one: Message) -> None:
        if one.status == _HEARTBEAT:
            return
        if one.status not in {_NOTHING, _EXPIRED}:
            raise NatsError("silent", f"stream {self._config.stream}: the server ends the consumer ({one.status})")
        self._owed = 0

    def _taken(self, one: Message) -> Taken:
        words = one.reply.split(b".")
        if len(words) != _REPLY_WORDS:
            raise NatsError("protocol", f"{one.reply!r}: not the reply subject of a consumer")
        seq, number, time_ns = (int(word) for word in words[5:8])
        self._count += 1
        if number != self._count:
            raise NatsError(
                "silent", f"stream {self._config.stream}: message {self._count} of the consumer did not come"
            )
        self._owed -= 1
        return Taken(seq, time_ns // 1_000_000, one.subject, one.data)
