"""A worker's journal: a batch into the stream. What `commit` has returned is with a quorum of its servers."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from cext.verify import tally
from gateway.config import JetStreamConfig
from gateway.database import StoreUnavailableError
from gateway.jetstream import messages, stream
from gateway.jetstream.client import Client, NatsError
from gateway.journal.journal import CONFLICT, NEW, REFUSED, REPEATED, Batch, Committed

_DIGEST_AT, _DIGEST_END = 1, 33  # in a record's message


class StreamJournal:
    """As gateway.journal.journal.Journal to who commits; holds a connection, and nothing else."""

    def __init__(self, config: JetStreamConfig, client: Client) -> None:
        self._config, self._client = config, client
        self._checked = 0  # the connection by which the stream was found as it must be

    def commit(self, batch: Batch) -> Committed:
        """Store the frames' records, each once.

        Raises StoreUnavailableError: nothing is known of any; the same call may be made again, for ever. What had been
        stored by then is REPEATED in that.
        """
        refused = batch.findings.refused()
        with self._explained():
            self._look()
            outcomes = self._publish(batch, refused)
        checks = Counter(check for row, check, _ in batch.findings if outcomes[row] in {NEW, REFUSED})
        return Committed(bytes(outcomes), tally(batch.columns, outcomes), [], dict(checks))

    def check(self) -> None:
        """Raises StoreUnavailableError where nothing would be committed now: says why."""
        with self._explained():
            self._look()

    def tidy(self, *, idle: bool) -> None:
        """Nothing is left for later; while nothing comes, the connection is kept."""
        if idle:
            self._client.attend()

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except NatsError as error:
            self._client.close()
            raise StoreUnavailableError(f"stream {self._config.stream}: {error}") from error

    def _look(self) -> None:
        """The stream is there and as it must be: looked at by each connection once. Raises NatsError."""
        self._client.inbox()
        if self._checked != self._client.tries:
            stream.ensure(self._client, self._config)
            self._checked = self._client.tries

    def _publish(self, batch: Batch, refused: dict[int, str]) -> bytearray:
        """A byte a record. Raises NatsError."""
        outcomes = bytearray(len(batch.columns.records))
        for row in refused:
            outcomes[row] = REFUSED
        frames, records = _messages(self._config.stream, batch, refused)
        for answer in self._client.request_all(frames):
            stream.is_taken(answer, self._config.stream)  # or not: what is there by its digest's name is it
        answers = self._client.request_all([(subject, body) for _, subject, body in records])
        asked = []
        for (row, subject, body), answer in zip(records, answers, strict=True):
            if stream.is_taken(answer, self._config.stream):
                outcomes[row] = NEW
            else:
                asked.append((row, subject, body))
        self._compare(asked, outcomes)
        return outcomes

    def _compare(self, asked: list[tuple[int, bytes, bytes]], outcomes: bytearray) -> None:
        """Repeated or conflict: of the records whose name is there already."""
        held = stream.stored(self._client, self._config.stream, [subject for _, subject, _ in asked])
        for (row, subject, body), found in zip(asked, held, strict=True):
            if found is None:
                raise NatsError("silent", f"{subject.decode()}: its leader does not have yet what another had")
            is_same = found[_DIGEST_AT:_DIGEST_END] == body[_DIGEST_AT:_DIGEST_END]
            outcomes[row] = REPEATED if is_same else CONFLICT


def _messages(
    name: str, batch: Batch, refused: dict[int, str]
) -> tuple[list[tuple[bytes, bytes]], list[tuple[int, bytes, bytes]]]:
    """((subject, body) of the frames of several records, (record's row, subject, body) of all records)."""
    columns, frames, found = batch.columns, list[tuple[bytes, bytes]](), list[tuple[int, bytes, bytes]]()
    counts, epochs = columns.frames.record_count.tolist(), columns.frames.epoch.tolist()
    records, digests = columns.records, columns.records.digest.tobytes()
    frame_digests: dict[int, bytes] = {}
    for row, (number, seq) in enumerate(zip(records.frame.tolist(), records.seq.tolist(), strict=True)):
        if row in refused:
            continue
        terminal, data, digest = batch.senders.ids[number], batch.frames[number], digests[32 * row : 32 * row + 32]
        subject = messages.record_subject(name, terminal, epochs[number], seq)
        if counts[number] == 1:
            found.append((row, subject, messages.alone(digest, data)))
            continue
        if number not in frame_digests:
            frame_digests[number] = hashlib.sha256(data).digest()
            frames.append((messages.frame_subject(name, terminal, frame_digests[number]), data))
        found.append((row, subject, messages.among_others(digest, frame_digests[number])))
    return frames, found
