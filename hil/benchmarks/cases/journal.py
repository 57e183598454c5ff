"""The journal alone: frames a second that are on the disk, FULL sync, by frames a commit."""

import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cext.decoder import KeyState
from gateway import decode, verify
from gateway.config import VerifyConfig
from gateway.journal.journal import Batch, Journal
from gateway.pipeline import Journal as AnyJournal
from gateway.registry import Point, Senders, Terminal
from hil.benchmarks import realistic
from hil.benchmarks.ingest.load import BOOT, EPOCH, POINTS, SECRET, names, windows
from hil.benchmarks.result import Bar, Chart, Figure, Options, Result
from hil.benchmarks.timing import Samples
from hil.terminal import ROOT
from protocol import frame, mac

TERMINALS = 7056
OF_A_BURST = 450  # frames a commit in a burst: 430 to 480 on this machine, 500 are asked for (intake.batch_frames)
OTHERS = (1, 16, 100)
SMALL_COMMITS = 60  # of the smaller sizes: enough to see the fsync
ROUNDS_MAX = 7
NOTES = [
    f"Frames of one window of {POINTS} points, decoded and checked beforehand; {TERMINALS} terminals in turn.",
    "Wall time of Journal.commit: which are new, the energy steps, rows, chain, COMMIT with synchronous=FULL.",
    "The file is below build/, on the disk that the code is on.",
]


def terminals() -> list[Terminal]:
    """The province's, alike."""
    rated_w, states = max(realistic.NOMINAL_W) * 2, {1: KeyState(SECRET)}
    points = {
        number: Point(number=number, name="p", kind="production", rated_power_w=rated_w, register_step_wh=1)
        for number in range(1, POINTS + 1)
    }
    return [Terminal(name, states, points) for name in names(TERMINALS)]


def batches(everyone: list[Terminal], raw: bytes, number: int, size: int, now_s: int) -> Iterator[Batch]:
    """A frame of each terminal with this record, in batches."""
    key, limits = mac.Key(SECRET, 1), verify.bounds_of(VerifyConfig())
    for at in range(0, len(everyone), size):
        some = everyone[at : at + size]
        frames = [frame.seal_frame(key, one.id, EPOCH, BOOT, 900_000 * number + 1, [raw]) for one in some]
        senders = Senders.of(some)
        columns = decode.decode_batch(frames, senders)
        findings = verify.check_batch(columns, senders, now_s * 1000, limits)
        yield Batch(now_s * 1000, frames, senders, columns, findings)


def frames_per_s(journal: AnyJournal, ready: list[Batch]) -> float:
    """How fast these are committed."""
    begun_s = time.monotonic()
    for batch in ready:
        committed = journal.commit(batch)
        if committed.tally.frames["accepted"] != len(batch.frames):
            raise RuntimeError(f"not all of a batch was new: {committed.tally.frames}")
    return sum(len(batch.frames) for batch in ready) / (time.monotonic() - begun_s)


def measure(options: Options) -> Result:
    """See the module."""
    rounds, now_s = max(2, min(options.rounds, ROUNDS_MAX)), int(time.time())
    raws = windows(rounds + 1 + len(OTHERS), random.Random(options.seed).randrange(1000), now_s)
    everyone = terminals()
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        journal = Journal(Path(name), VerifyConfig())
        bars, values = [], []
        for number, raw in enumerate(raws):
            size = OF_A_BURST if number <= rounds else OTHERS[number - rounds - 1]
            ready = list(batches(everyone, raw, number, size, now_s))[: None if size == OF_A_BURST else SMALL_COMMITS]
            rate = frames_per_s(journal, ready)
            if size != OF_A_BURST:
                bars.append(Bar(f"{size} a commit", rate, ours=True))
            elif number:  # the first brings the terminals in
                values.append(rate)
        journal.close()
    samples = Samples(values)
    bars.append(Bar(f"{OF_A_BURST} a commit, as in a burst", samples.median, ours=True))
    goal = "at least 100,000"
    figures = [Figure("journal.frames_per_s", round(samples.median), "frames/s", round(samples.spread), "", goal)]
    return Result(figures, [Chart("Frames a second on the disk", "frames/s", bars, line=100_000)], notes=NOTES)
