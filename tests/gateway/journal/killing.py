"""`python -m tests.gateway.journal.killing`: the journal's writer killed again and again; what it acknowledged is kept.

In each round a process of its own commits batches, old records among them, indexes, checkpoints, retires, and tells
each number that `commit` has returned for. Then it is gone: by kill -9 at an instant, or with `--power` at a call to
the disk, which is then left with what was synced, and any part of the rest (hil/disk). What replays a round is printed.
"""

import argparse
import errno
import json
import os
import random
import signal
import sqlite3
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config import VerifyConfig
from gateway.database import StoreUnavailableError, checkpoint
from gateway.journal import index
from gateway.journal.audit import Audit, Fault
from gateway.journal.journal import FILE, Journal
from gateway.journal.reader import Reader
from gateway.journal.retention import Rule
from hil.disk import Disk, shim
from tests.gateway.support import NEW, NOW_S, REPEATED, Sender, accept, commit, window

ROUNDS_A_FOLDER = 50  # then a new journal: a file that grows makes each round longer, and finds no more
AFTER_S_MOST = 0.06  # opening takes some 0.01 s, a commit 0.002
CALLS_MOST = 200  # to the disk: opening a new journal takes some 60, a commit 4 and more
COMMITS_KEPT = 40  # what is older is retired now and then
_ACK = struct.Struct("<I")


@dataclass
class Found:
    """What came of some rounds."""

    rounds: int = 0
    acknowledged: int = 0
    lost: list[int] = field(default_factory=list)
    twice: list[int] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)  # what the chain or SQLite found
    retired: int = 0

    @property
    def well(self) -> bool:
        """Nothing lost, nothing twice, nothing broken."""
        return not (self.lost or self.twice or self.broken)


def batch_at_s(first: int) -> int:
    """When the batch that begins with this number was received: commits must differ for retention to tell them."""
    return NOW_S - 10_000_000 + first


def write_until_killed(folder: Path, seed: int, first: int, acked: int, writer: "Writer", disk: Disk | None) -> None:
    """Commit batches for ever; tell each new number through the pipe once it is durable."""
    sender, chance = Sender(), random.Random(seed)
    journal = Journal(folder, VerifyConfig())
    journal._open().connection.execute(f"PRAGMA synchronous = {writer.synchronous}")
    seq = first
    while True:
        fresh = list(range(seq, seq + chance.randint(1, 40)))
        again = [chance.randrange(1, fresh[-1] + 1) for _ in range(5)]
        batch = [
            accept(sender, sender.frame([record_of(one) for one in part]), now_s=batch_at_s(seq))
            for part in (fresh[: len(fresh) // 2], fresh[len(fresh) // 2 :], again)
            if part
        ]
        if disk is not None and chance.random() < 0.1:
            disk.fail(chance.choice([errno.EIO, errno.ENOSPC, errno.EROFS]), syncs_only=chance.random() < 0.5)
            with suppress(StoreUnavailableError):
                commit(journal, batch)
            disk.fail(None)
        commit(journal, batch)
        os.write(acked, b"".join(_ACK.pack(one) for one in fresh))
        seq = fresh[-1] + 1
        if chance.random() < 0.2:
            opened = journal._open()
            index.write(opened.connection, opened.ledger, opened.next_id - 1)
        if chance.random() < 0.05:
            checkpoint(journal._open().connection)
        if chance.random() < 0.2:
            journal.retire(Rule(batch_at_s(seq - 20 * COMMITS_KEPT) * 1000, None), {})


def record_of(seq: int) -> bytes:
    return window(seq, NOW_S - 900 * 200_000 + 900 * seq)


@dataclass
class Writer:
    """How a writer runs and ends."""

    power: bool  # whether it has a disk that loses what was not synced
    synchronous: str = "FULL"


def round_of(disk: Disk | None, folder: Path, writer: Writer, chance: random.Random, first: int) -> set[int]:
    """One writer's life; returns what it acknowledged."""
    seed, reading, writing = chance.randrange(1 << 30), *os.pipe()
    die_at, after_s, waits = chance.randint(1, CALLS_MOST), chance.uniform(0, AFTER_S_MOST), chance.random() < 0.5
    child = os.fork()
    if child == 0:
        try:
            if disk is not None:
                os.environ.update(disk.env(die_at))
            write_until_killed(folder, seed, first, writing, writer, disk)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        data = b""
        if disk is None:
            data = stream.read(_ACK.size if waits else 0)  # else it may be killed while it opens the journal
            time.sleep(after_s)
            os.kill(child, signal.SIGKILL)
        data += stream.read()
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        raise RuntimeError(f"the writer ended by itself: seed {seed}, first {first}, die_at {die_at}")
    return {seq for (seq,) in _ACK.iter_unpack(data[: len(data) // _ACK.size * _ACK.size])}


def run(rounds: int, seed: int, writer: Writer) -> Iterator[Found]:
    """So many rounds; what was found so far, after each folder's last."""
    found = Found()
    for number in range(0, rounds, ROUNDS_A_FOLDER):
        with tempfile.TemporaryDirectory() as name:
            _run_in(
                Path(name) / "data", min(ROUNDS_A_FOLDER, rounds - number), seed * 1_000_003 + number, writer, found
            )
        yield found


def _run_in(folder: Path, rounds: int, seed: int, writer: Writer, found: Found) -> None:
    chance, acknowledged, first = random.Random(seed), set[int](), 1
    folder.mkdir()
    disk = Disk(folder) if writer.power else None
    for _ in range(rounds):
        acknowledged |= round_of(disk, folder, writer, chance, first)
        if disk is not None:
            disk.fail(None)
            disk.cut(chance)
        first = max(1, max(acknowledged, default=1) + 1 + chance.randint(-3, 3))
        found.rounds += 1
    found.acknowledged += len(acknowledged)
    check(folder, acknowledged, found)


def check(folder: Path, acknowledged: set[int], found: Found) -> None:
    """Everything acknowledged is there or was retired, and is known; nothing is there twice; nothing is damaged."""
    journal = Journal(folder, VerifyConfig())
    reader = Reader(folder)
    stored = [one.seq for one in reader.records_after(0, 1 << 30)]
    retired = reader.start().record
    reader.close()
    found.retired += retired
    kept = set(stored)
    found.twice += sorted(one for one in kept if stored.count(one) > 1) if len(kept) < len(stored) else []
    sender = Sender()
    numbers = sorted(acknowledged)
    for at in range(0, len(numbers), 16):
        some = numbers[at : at + 16]
        (outcomes,) = commit(journal, [accept(sender, sender.frame([record_of(one) for one in some]))])
        found.lost += [one for one, outcome in zip(some, outcomes, strict=True) if outcome == NEW]
        found.broken += [
            f"{one}: {outcome}" for one, outcome in zip(some, outcomes, strict=True) if outcome not in {NEW, REPEATED}
        ]
    known = sum(high - low + 1 for low, high in spans_of(folder, "retired"))
    if known != retired:
        found.broken.append(f"{retired} records were retired, {known} are known to be")
    gone = {one for low, high in spans_of(folder, "retired") for one in range(low, high + 1)}
    found.twice += sorted(gone & kept)
    audit = Audit(folder)
    found.broken += [f"{one.what} at {one.record}" for one in audit.links() if isinstance(one, Fault)]
    audit.close()
    journal.close()
    with sqlite3.connect(folder / FILE) as connection:
        found.broken += [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
    connection.close()


def spans_of(folder: Path, table: str) -> list[tuple[int, int]]:
    """The runs of numbers in a table."""
    with sqlite3.connect(folder / FILE) as connection:
        rows = connection.execute(f"SELECT first, last FROM {table}").fetchall()
    connection.close()
    return rows


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    parser.add_argument("--power", action="store_true", help="a disk that loses what was not synced")
    parser.add_argument("--synchronous", default="FULL", choices=["FULL", "NORMAL", "OFF"])
    chosen = parser.parse_args()
    if chosen.power and os.environ.get("LD_PRELOAD") != str(shim()):
        os.execve(sys.executable, sys.orig_argv, {**os.environ, "LD_PRELOAD": str(shim())})  # noqa: S606  (ourselves)
    found = Found()
    for found in run(chosen.rounds, chosen.seed, Writer(chosen.power, chosen.synchronous)):
        said = {**found.__dict__, "lost": len(found.lost), "seed": chosen.seed}
        sys.stderr.write(f"{json.dumps(said)}\n")
    sys.stdout.write(json.dumps({**found.__dict__, "seed": chosen.seed}) + "\n")
    sys.exit(not found.well)


if __name__ == "__main__":
    main()
