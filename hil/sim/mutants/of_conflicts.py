"""Faults of the gateway where two records come under one number, as of a terminal and its copy."""

import sqlite3
from collections.abc import Iterator
from typing import Any

from gateway.journal import journal
from gateway.journal.journal import CONFLICT, REPEATED
from hil.oracle.sources import frames_in, packed_frame
from hil.sim.mutants.patch import Patch
from protocol import mac
from protocol.errors import FrameError
from protocol.frame import Frame, payload_reader, read_frame


def clone_accepted() -> Iterator[Patch]:
    """A record under a number that another one has is acknowledged as if it were that one, and thrown away."""
    yield Patch(journal.Journal, "commit", lambda honest: _taking_conflicts(honest, _forget))


def conflict_overwrites() -> Iterator[Patch]:
    """A record under a number that another one has takes its place."""
    yield Patch(journal.Journal, "commit", lambda honest: _taking_conflicts(honest, _overwrite))


def _taking_conflicts(commit: Any, act: Any) -> Any:
    def taking(self: Any, batch: Any) -> Any:
        done = commit(self, batch)
        if CONFLICT not in done.outcomes:
            return done
        act(self._open().connection, batch)
        return done._replace(outcomes=done.outcomes.replace(bytes((CONFLICT,)), bytes((REPEATED,))))

    return taking


def _forget(_connection: sqlite3.Connection, _batch: Any) -> None:
    """What comes second is nowhere."""


def _overwrite(connection: sqlite3.Connection, batch: Any) -> None:
    for terminal, data in zip(batch.terminals, batch.frames, strict=True):
        if (frame := _read(data)) is None:
            continue
        for number, one in enumerate(frame.records):
            _replace(connection, terminal, (frame.epoch, one.seq), one.raw, (1 << number, data))


def _replace(
    connection: sqlite3.Connection, terminal: str, name: tuple[int, int], raw: bytes, by: tuple[int, bytes]
) -> None:
    """In the block that has another record of this name, that one is taken out and this frame put in."""
    for first, packed in connection.execute("SELECT first, frames FROM blocks").fetchall():
        left = [_without(*one, terminal, name, raw) for one in frames_in(packed)]
        if left != list(frames_in(packed)):
            packed = b"".join(packed_frame(*one) for one in [*left, (by[0], terminal, by[1])])  # noqa: PLW2901
            connection.execute("UPDATE blocks SET frames = ? WHERE first = ?", (packed, first))
            return


def _without(
    mask: int, owner: str, data: bytes, terminal: str, name: tuple[int, int], raw: bytes
) -> tuple[int, str, bytes]:
    """A frame of a block, less the other record of this name."""
    frame = _read(data) if owner == terminal else None
    if frame is not None:
        for number, one in enumerate(frame.records):
            if (frame.epoch, one.seq) == name and one.raw != raw:
                mask &= ~(1 << number)
    return mask, owner, data


def _read(data: bytes) -> Frame | None:
    """What a frame says, whoever sealed it; None: it is none."""
    try:
        envelope = mac.Envelope(data)
        return read_frame(payload_reader(envelope), envelope.generation)
    except FrameError:
        return None
