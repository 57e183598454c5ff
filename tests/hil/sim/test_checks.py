"""The checks that look while a run goes on: what they see, and how they say it."""

import re
import sqlite3
import struct
from typing import Any

import pytest
from terminal import segment, uplink

from hil.sim import fuzz, plan
from hil.sim.checks.flash_log import ACKED, RECORDS, FlashLog
from hil.sim.checks.quarantine_file import QuarantineFile
from hil.sim.checks.violation import ViolationError
from hil.sim.gateway import Clock
from protocol.record import CLOCK_NONE, LOG_DAMAGED, LOG_FULL, Event, encode_event

SILENT_GATEWAY = plan.Trouble("gateway_kill", 1_000_000, 4_000_000, 0)


def test_a_violation_that_heals_before_the_end_ends_the_run_in_its_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """P-190: a terminal that frees at the broker's PUBACK loses nothing in the end, for the gateway asks for it."""
    honest = uplink.Uplink.pubacked

    def free(self: Any, stamp: int) -> None:
        seq = self.last_of(stamp)
        honest(self, stamp)
        self._log.acknowledge(((seq, seq),))

    monkeypatch.setattr(uplink.Uplink, "pubacked", free)
    failed = fuzz.run(2, [SILENT_GATEWAY])
    (finding,) = failed.findings
    assert (finding.invariant, finding.code) == (1, "freed_too_early")
    moment = re.match(r"at (\d+) ms \(.*\), trace line (\d+): record \d+ of epoch 0x[0-9a-f]+ is freed", finding.text)
    assert moment, finding.text
    assert failed.story[-1].endswith("is freed, and the journal does not have it")
    assert failed.story[-1].split()[0] == moment[1]
    written: list[str] = []
    assert fuzz.run(2, [SILENT_GATEWAY], written.append).trace == failed.trace
    assert written[int(moment[2])].startswith(failed.story[-1])


class Bytes:
    """A file of a segment in memory."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._at = 0

    def seek(self, at: int) -> None:
        self._at = at

    def write(self, data: bytes) -> None:
        self.data[self._at : self._at + len(data)] = data
        self._at += len(data)

    def flush(self) -> None:
        """It is there at once."""


def log_with(*events: Event) -> FlashLog:
    """A terminal's log with these records, from number 1 on, of which the journal has none."""
    file = Bytes()
    made = segment.Segment(file, 1, 0)
    made.begin(7)
    for seq, event in enumerate(events, 1):
        made.append(seq, encode_event(seq, event))
    log = FlashLog(lambda: 0, lambda _epoch, _seq, _raw: False)
    log.committed(f"{RECORDS}00000001", bytes(file.data))
    return log


def event(code: int, *values: int) -> Event:
    return Event(None, 1, 10, CLOCK_NONE, 0, code, None, values)


def frees(log: FlashLog, first: int, last: int) -> bool:
    """Whether it may let these go."""
    try:
        log.committed(ACKED, struct.pack("<II", first, last) + bytes(4))
    except ViolationError as error:
        assert error.finding.code == "freed_too_early"  # noqa: PT017
        return False
    return True


def test_a_terminal_that_says_that_its_log_is_damaged_may_free_nothing() -> None:
    """P-195: nothing damages a simulated flash; a full one excuses the numbers that it names, and no others."""
    some = event(1)
    assert not frees(log_with(some, some, event(LOG_DAMAGED, 2, 100)), 1, 1)
    assert not frees(log_with(some, some, event(LOG_DAMAGED, 2, 100)), 1, 2)
    assert frees(log_with(some, some, event(LOG_FULL, 1, 1)), 1, 1)
    assert not frees(log_with(some, some, event(LOG_FULL, 1, 1)), 1, 2)
    assert not frees(log_with(event(LOG_FULL, 2, 3), some, some), 2, 2), "it was told before there was such a record"


def test_each_frame_that_is_let_go_needs_evidence_of_its_own() -> None:
    """P-195: by its sender and its bytes, as often as it came: one piece of evidence is no other frame's."""
    store = sqlite3.connect(":memory:")
    store.execute("CREATE TABLE refused (id INTEGER PRIMARY KEY, source TEXT, data BLOB)")
    file = QuarantineFile()

    def keep(source: str, data: bytes) -> None:
        store.execute("INSERT INTO refused (source, data) VALUES (?, ?)", (source, data))
        file.committed(store)

    keep("T0001", b"bad")
    assert not file.has_another("T0002", b"bad"), "another terminal's"
    assert not file.has_another("T0001", b"worse")
    assert file.has_another("T0001", b"bad")
    assert not file.has_another("T0001", b"bad"), "it came twice, and was kept once"
    keep("T0001", b"bad")
    keep("T0001", b"bad")
    assert file.has_another("T0001", b"bad")


def test_a_gateways_clock_that_was_stepped_explains_an_ack_for_two_minutes() -> None:
    """P-190: what a terminal takes for the time is held against what the gateway may have told it."""
    now_ms = [1_000_000]
    clock = Clock(lambda: now_ms[0])
    assert (clock.was_stepped, clock.lately_ms(120_000)) == (False, (0, 0))
    clock.step(45_000)
    now_ms[0] += 60_000
    clock.step(0)
    assert (clock.now_ms(), clock.lately_ms(120_000)) == (now_ms[0], (0, 45_000))
    now_ms[0] += 120_001
    assert (clock.was_stepped, clock.lately_ms(120_000)) == (True, (0, 0))
