"""Faults of the gateway. Each function gives the patches of one; its docstring says what is wrong."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from cext.decoder import KeyState
from cext.verify import Ledger
from gateway import pipeline
from gateway.decode import decode_batch
from gateway.forward import outbox
from gateway.forward.hj212 import numbers, session
from gateway.journal import index, journal
from gateway.quarantine import quarantine
from gateway.registry import Senders, Terminal
from hil.sim.mutants.patch import Patch
from protocol import limits, mac
from protocol.errors import FrameError

LONG_AGO_MS = 1_700_000_000_000

_ANY_SECRET = bytes(32)


def ack_before_commit() -> Iterator[Patch]:
    """The journal's transaction is left open until the batch is acknowledged."""

    @contextmanager
    def left_open(connection: sqlite3.Connection) -> Iterator[None]:
        if not connection.in_transaction:
            connection.execute("BEGIN IMMEDIATE")
        yield

    def ending_it(tidy: Any) -> Any:
        def late(self: Any) -> None:
            connection = self._open().connection
            if connection.in_transaction:
                connection.execute("COMMIT")
            tidy(self)

        return late

    yield Patch(journal, "transaction", lambda _honest: left_open)
    yield Patch(journal.Journal, "tidy", ending_it)


def dropped_fsync() -> Iterator[Patch]:
    """The journal does not wait for the disk."""

    def making(opening: Any) -> Any:
        @contextmanager
        def lazy(*args: Any, **more: Any) -> Iterator[sqlite3.Connection]:
            with opening(*args, **more) as connection:
                connection.execute("PRAGMA synchronous = OFF")
                yield connection

        return lazy

    yield Patch(journal, "opening", making)


def dedup_forgets() -> Iterator[Patch]:
    """Which records are in is known from this start on only."""

    def making(load: Any) -> Any:
        def forgetful(connection: sqlite3.Connection, terminals: dict[str, int]) -> tuple[Ledger, int]:
            _, next_id = load(connection, terminals)
            rows = partial(index.row_of, connection, terminals)
            return Ledger(lambda _terminal, _epoch: [], rows, {}), next_id

        return forgetful

    yield Patch(index, "load", making)


def line_dropped() -> Iterator[Patch]:
    """What waits on a connection to the platform is forgotten with the connection."""

    def making(disconnected: Any) -> Any:
        def dropping(self: Any, now_ms: int) -> None:
            disconnected(self, now_ms)
            self._line.packets.clear()
            self._line.current = None

        return dropping

    yield Patch(session.Hj212Session, "on_disconnected", making)


def cursor_not_kept() -> Iterator[Patch]:
    """What a sink has taken is not noted with its packets: after a start it takes it again, under other numbers."""

    def making(init: Any) -> Any:
        def forgetful(self: Any, folder: Path, sink: str) -> None:
            init(self, folder, sink)
            self._connection.execute("DELETE FROM cursors")
            self._connection.execute("DELETE FROM ahead")

        return forgetful

    yield Patch(outbox.Outbox, "__init__", making)


def numbers_begin_anew() -> Iterator[Patch]:
    """Packets are numbered from the same number on after each start."""

    def making(init: Any) -> Any:
        def anew(self: Any, *args: Any) -> None:
            init(self, *args)
            self._last_ms = self._reserved_ms = LONG_AGO_MS

        return anew

    yield Patch(numbers.Numbers, "__init__", making)
    yield Patch(numbers.Numbers, "first_ms", lambda _honest: lambda self: self._last_ms + 1)


def sent_is_confirmed() -> Iterator[Patch]:
    """A packet that was written to the connection counts as answered."""

    def making(outgoing: Any) -> Any:
        def hasty(self: Any, now_ms: int) -> bytes | None:
            data: bytes | None = outgoing(self, now_ms)
            line = self._line
            if data is not None and line.current is not None and not line.current_is_history:
                self._confirm(line.current)
                self._sends, self._deadline_ms = 0, None
            return data

        return hasty

    yield Patch(session.Hj212Session, "next_outgoing", making)


def unauthenticated_accept() -> Iterator[Patch]:
    """Whose frame it is is believed, whatever its tag says."""

    def sealed(data: bytes, terminal: Terminal) -> bytes:
        try:
            envelope = mac.Envelope(data)
        except FrameError:
            return data
        if envelope.generation not in terminal.states:
            return data
        payload = data[envelope.payload_at : envelope.payload_end]
        aad = mac.external_aad(terminal.id, limits.UP, limits.VERSION)
        return mac.seal(mac.Key(_ANY_SECRET, envelope.generation), aad, payload)

    def decoded(frames: list[bytes], senders: Senders) -> Any:
        believed = [sealed(data, one) for data, one in zip(frames, senders.terminals, strict=True)]
        keys: list[Mapping[int, KeyState]] = [
            dict.fromkeys(one.states, KeyState(_ANY_SECRET)) for one in senders.terminals
        ]
        return decode_batch(believed, senders._replace(keys=keys))

    def making(init: Any) -> Any:
        def trusting(self: Any, *args: Any, **more: Any) -> None:
            init(self, *args, **{**more, "decoder": decoded})

        return trusting

    yield Patch(pipeline.Pipeline, "__init__", making)


def quarantine_lost() -> Iterator[Patch]:
    """What is refused is thrown away."""
    yield Patch(quarantine.Quarantine, "add", lambda _honest: lambda _self, _refused: 0)


def release_before_commit() -> Iterator[Patch]:
    """The broker is told that a batch is taken before it is."""

    def making(acknowledge: Any) -> Any:
        def hasty(self: Any, batch: list[Any], registry: Any) -> None:
            intake, tokens = self.intake, [one.token for one in batch]
            intake.release(tokens)
            acknowledge(self, batch, registry)
            batch.clear()

        return hasty

    yield Patch(pipeline.Pipeline, "_acknowledge", making)
