"""kill -9 of the journal's writer: what it had acknowledged is there, nothing is there twice, and it goes on."""

import os
import random
import signal
import sqlite3
import struct
import time
from pathlib import Path

from gateway.config import VerifyConfig
from gateway.journal.journal import FILE, Journal
from gateway.journal.reader import Reader
from tests.gateway.support import NOW_S, Sender, accept, commit, window

ROUNDS = 100
_ACK = struct.Struct("<I")


def write_until_killed(folder: Path, seed: int, first: int, acked: int) -> None:
    """Commit batches for ever, old records among them; tell each new seq through the pipe once it is durable."""
    sender, chance = Sender(), random.Random(seed)
    journal = Journal(folder, VerifyConfig())
    seq = first
    while True:
        fresh = list(range(seq, seq + chance.randint(1, 40)))
        again = [chance.randrange(fresh[-1]) for _ in range(5)]
        batch = [
            accept(sender, sender.frame([window(one, NOW_S - 900 * 100_000 + 900 * one) for one in part]))
            for part in (fresh[: len(fresh) // 2], fresh[len(fresh) // 2 :], again)
            if part
        ]
        commit(journal, batch)
        os.write(acked, b"".join(_ACK.pack(one) for one in fresh))
        seq = fresh[-1] + 1


def round_of(folder: Path, seed: int, first: int, after_s: float) -> set[int]:
    """One writer, killed after_s after its first acknowledgement; returns what it acknowledged."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            write_until_killed(folder, seed, first, writing)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        data = stream.read(_ACK.size)
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
        data += stream.read()
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the writer ended by itself"
    return {seq for (seq,) in _ACK.iter_unpack(data)}


def test_everything_acknowledged_is_there_after_kill_9_and_nothing_twice(tmp_path: Path) -> None:
    """R-07, in a first form: the writer's process is killed at random points of its commits."""
    chance, acknowledged, first = random.Random(7), set[int](), 1
    for number in range(ROUNDS):
        acknowledged |= round_of(tmp_path, number, first, chance.uniform(0, 0.02))
        first = max(acknowledged) + 1 + chance.randint(-3, 3)
    connection = sqlite3.connect(tmp_path / FILE)
    stored = [one.seq for one in Reader(tmp_path).records_after(0, 10**9)]
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert acknowledged <= set(stored)
    assert len(stored) == len(set(stored))
    assert len(acknowledged) > ROUNDS
