"""A NATS JetStream as a sink: a message a record, whose subject is its name; a second one of that name is refused by
the stream itself, so that a record counts once for ever.

JetStream acknowledges before it syncs, unless told `sync_interval: always` (nats-server 2.10): after a power cut it may
lack what it had acknowledged. The journal has it: `refeed`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import msgspec

from gateway.config import NatsConfig
from gateway.files import read_password
from gateway.forward.documents import documents
from gateway.forward.sink import Batch, BatchRefusedError, PromptSink, Receipt, SinkError

CONNECT_TIMEOUT_S = 5
ACKS_TIMEOUT_S = 30  # for all of a batch
IS_THERE = 10077  # JetStream's error: maximum messages per subject exceeded, or the stream is full
FULL = {10023, 10028, 10047, 10122}  # insufficient resources, store failed, ...
PER_SUBJECT = "per subject"
LOOK_S = 0.2  # how soon a connection that ended is seen


class NatsSink(PromptSink[NatsConfig]):
    """What the forwarder drives. An event loop of its own while it is connected. pause: as elsewhere."""

    def __init__(self, config: NatsConfig, pause: Callable[[float], object]) -> None:
        super().__init__(config, pause)
        self._password = read_password(config.password_file)
        self._runner: asyncio.Runner | None = None
        self._client: Any = None
        self._inbox = ""
        self._round = 0  # of batches: answers to one that was given up do not count
        self._wanted = 0
        self._answers: list[bytes] = []
        self._all_there = asyncio.Event()
        self.repeated = 0  # records that were there already

    def take(self, batch: Batch) -> Receipt:
        """Publish, and wait for every acknowledgement. Raises SinkError, BatchRefusedError."""
        try:
            if self._runner is None:
                self._runner = asyncio.Runner()
            self._runner.run(self._take(batch))
        except (SinkError, BatchRefusedError):
            self.close()
            raise
        return Receipt()

    def close(self) -> None:
        """End the connection; `take` makes another."""
        client, runner, self._client, self._runner = self._client, self._runner, None, None
        self._round += 1
        if runner is not None:
            if client is not None:
                runner.run(_closed(client))
            runner.close()

    async def _take(self, batch: Batch) -> None:
        import nats.errors  # noqa: PLC0415  (an extra)

        try:
            if self._client is None:
                await self._connect()
            answers = await asyncio.wait_for(self._publish(batch), ACKS_TIMEOUT_S)
        except TimeoutError as error:
            raise SinkError("silent", "not all messages were acknowledged in time") from error
        except (OSError, nats.errors.Error) as error:
            raise _explained(error) from error
        for answer in answers:
            if b'"error"' in answer or not answer:
                self._judge(answer)

    async def _publish(self, batch: Batch) -> list[bytes]:
        """All of them, each with an inbox for its answer; the answers, in any order.

        Not by nats-py's `publish_async`: of a message that the stream refuses it never tells. Nor with its `flush`:
        that does not see that the connection ended.
        """
        self._answers, self._all_there = [], asyncio.Event()
        self._wanted = len(batch.records)
        for number, (one, document) in enumerate(documents(batch)):
            subject = f"{self._config.prefix}.{one.terminal}.{one.epoch}.{one.seq}"
            await self._client.publish(subject, document, reply=f"{self._inbox}.{self._round}.{number}")
        while not self._all_there.is_set():
            if self._client.is_closed:
                raise SinkError("unreachable", "the connection ended")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_there.wait(), LOOK_S)
        self._round += 1
        return self._answers

    async def _on_answer(self, message: Any) -> None:
        if message.subject.split(".")[-2] == str(self._round):  # none of a batch that was given up
            self._answers.append(message.data)
            if len(self._answers) == self._wanted:
                self._all_there.set()

    def _judge(self, answer: bytes) -> None:
        """A message that was not stored: it may be there already. No data: nobody listens to its subject."""
        error = msgspec.json.decode(answer)["error"] if answer else {"description": "no stream takes this subject"}
        text, code = str(error.get("description", "")), error.get("err_code")
        if code == IS_THERE and PER_SUBJECT in text:
            self.repeated += 1
            return
        if code in FULL or code == IS_THERE:
            raise SinkError("full", text)
        raise SinkError("limits" if not answer else "protocol", text)

    async def _connect(self) -> None:
        import nats  # noqa: PLC0415  (an extra)

        config = self._config
        self._client = await nats.connect(
            f"nats://{config.host}:{config.port}", user=config.user, password=self._password,
            allow_reconnect=False, max_reconnect_attempts=1, reconnect_time_wait=0,  # trying again is the forwarder's
            connect_timeout=CONNECT_TIMEOUT_S, name="wattline", error_cb=_quiet,
        )  # fmt: skip
        await self._check_stream(self._client.jetstream(timeout=CONNECT_TIMEOUT_S))
        self._inbox = self._client.new_inbox()
        await self._client.subscribe(f"{self._inbox}.*.*", cb=self._on_answer)

    async def _check_stream(self, jetstream: Any) -> None:
        """Made where there is none; one that is there must keep what it is given, and refuse a second of a name."""
        from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig  # noqa: PLC0415  (an extra)
        from nats.js.errors import NotFoundError  # noqa: PLC0415

        subjects = [f"{self._config.prefix}.>"]
        try:
            found = (await jetstream.stream_info(self._config.stream)).config
        except NotFoundError:
            wanted = StreamConfig(
                name=self._config.stream, subjects=subjects, storage=StorageType.FILE, discard=DiscardPolicy.NEW,
                retention=RetentionPolicy.LIMITS, max_msgs_per_subject=1, discard_new_per_subject=True,
            )  # fmt: skip
            await jetstream.add_stream(wanted)
            return
        wrong = [
            text
            for text, is_wrong in (
                (f"subjects {found.subjects} and not {subjects}", found.subjects != subjects),
                (f"max_msgs_per_subject {found.max_msgs_per_subject} and not 1", found.max_msgs_per_subject != 1),
                ("it discards old messages", found.discard != DiscardPolicy.NEW or not found.discard_new_per_subject),
                ("it keeps in memory", found.storage != StorageType.FILE),
                ("it is a work queue", found.retention != RetentionPolicy.LIMITS),
            )
            if is_wrong
        ]
        if wrong:
            raise SinkError("limits", f"stream {self._config.stream}: {'; '.join(wrong)}")


async def _closed(client: Any) -> None:
    with contextlib.suppress(Exception):  # it is given up; whatever it says of that is of no use
        await asyncio.wait_for(client.close(), CONNECT_TIMEOUT_S)


async def _quiet(_error: Exception) -> None:
    """What went wrong is told by the call that it went wrong in."""


def _explained(error: BaseException) -> SinkError | BatchRefusedError:
    """What an error of nats-py means for the sink."""
    text, name = str(error) or type(error).__name__, type(error).__name__
    if isinstance(error, SinkError):
        return error
    if name == "MaxPayloadError":
        return BatchRefusedError(text)
    if "uthorization" in text or "ermissions" in text:
        return SinkError("denied", text)
    if isinstance(error, OSError) or name in {"NoServersError", "ConnectionClosedError", "StaleConnectionError"}:
        return SinkError("unreachable", text)
    if name in {"TimeoutError", "NoRespondersError", "ServiceUnavailableError"}:
        return SinkError("silent", text)
    return SinkError("protocol", f"{name}: {text}")
