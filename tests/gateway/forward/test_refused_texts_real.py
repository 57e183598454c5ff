"""The platform as a process that answers no CN 3020, and the sink as a process that is killed again and again."""

import os
import random
import sys
import time
from contextlib import closing
from pathlib import Path

from gateway.config import VerifyConfig
from gateway.forward import outbox
from gateway.forward.log_texts import ANSWERED, LogText, State, states, tell
from gateway.journal.journal import Journal
from hil.process import Process
from tests.gateway.forward.platform_process import PlatformProcess
from tests.gateway.forward.texts import GIVEN_UP, SINK
from tests.gateway.support import NOW_S, Sender, accept, commit, wait_until, window

KILLS, WINDOWS, KILLED_WITHIN_S = 4, 12, 0.4
PER_WINDOW = 3  # messages: 2051, 2011, 2021
READINGS_MAX = 1200  # one each 0.1 s: five rounds take some 5 s where the machine is not busy
SEED = int(os.environ.get("WATTLINE_SEED", time.time_ns())) % 100_000
SHOWN = f"seed {SEED} (replay: WATTLINE_SEED={SEED})"


def became(folder: Path, *numbers: int) -> list[State]:
    with closing(outbox.writable(outbox.file_of(folder, "s"))) as connection:
        return states(connection, [f"change.{number}" for number in numbers])


def tell_it(folder: Path, *numbers: int) -> None:
    with closing(outbox.writable(outbox.file_of(folder, "s"))) as connection:
        tell(connection, "duty", [LogText(f"change.{number}", None, NOW_S, f"报警 {number}") for number in numbers])


def starts(folder: Path) -> int:
    """How often the sink's process has said that it is at work."""
    return (folder / "sink.log").read_text().count("ready")


def test_readings_go_on_and_texts_are_refused_over_kills(tmp_path: Path) -> None:
    """P-439: each reading once, texts given up with the reason and their packets; then a text is answered again."""
    chance, platform, sender = random.Random(SEED), PlatformProcess(tmp_path), Sender()
    (tmp_path / "platform.toml").write_text(SINK)
    command = [sys.executable, "-m", "tests.gateway.forward.sink_process", str(tmp_path), str(platform.port)]
    sink = Process("sink", command, tmp_path / "sink.log")
    with platform.process, sink, closing(Journal(tmp_path, VerifyConfig())) as journal:
        platform.obey(mode="missing", cn="3020")
        tell_it(tmp_path, 1)
        for seq in range(WINDOWS):
            commit(journal, [accept(sender, sender.frame([window(seq, NOW_S - 900 * (1 + seq))]))])
            if seq < KILLS:
                sink.start()
                wait_until(lambda seq=seq: starts(tmp_path) > seq)  # type: ignore[misc]
                time.sleep(chance.random() * KILLED_WITHIN_S)
                sink.kill()
        sink.start()
        platform.wait_for(PER_WINDOW * WINDOWS)
        while became(tmp_path, 1) != [GIVEN_UP]:  # a round needs a reading that is answered after it
            seq += 1
            assert seq < READINGS_MAX, SHOWN
            commit(journal, [accept(sender, sender.frame([window(seq, NOW_S - 900 * (1 + seq))]))])
            time.sleep(0.1)
        platform.obey(mode="normal")
        tell_it(tmp_path, 2)
        wait_until(lambda: became(tmp_path, 2) == [State(ANSWERED, "")])
        found = platform.wait_for(PER_WINDOW * (seq + 1) + 1).counts
    assert (found.duplicates, found.conflicts, found.qn_reused, found.log_texts) == (0, 0, 0, 1), SHOWN
    assert outbox.status(tmp_path, "s")["log_texts"] == {"waiting": 0, "tried": 0, "refused": 1}, SHOWN
