"""An older image of a terminal's flash is put back: real firmware, broker and gateway."""

import json
from pathlib import Path

import pytest

from gateway.journal.reader import Reader
from hil.powercut.machine import copy_image
from protocol import record
from tests.e2e.parts import Parts, parts
from tests.gateway.support import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.untimed]
UPLINK = {"ack_timeout_ms": 2000, "unacked_frames": 8, "records_per_frame": 8}
OLD, FIRST_LIFE, SECOND_LIFE = 30, 20, 25  # windows


def prefill(made: Parts, count: int, points: int) -> None:
    made.terminal.run_vm("prefill.py", str(made.terminal.image), str(count), str(points))


def deliver(made: Parts, windows: int, code: int = record.BOOT) -> None:
    """Let the terminal run until so many windows are in the journal, and an event of that code."""
    made.terminal.start()
    wait_until(
        lambda: len(windows_of(made)) >= windows and bool(events_of(made, code)),
        f"{windows} windows, an event {code}",
        60,
    )
    made.terminal.kill()


def bodies(made: Parts) -> list[tuple[int, record.Record]]:
    """(epoch, record) of all that is in the journal."""
    reader = Reader(made.gateway.data)
    try:
        return [(one.epoch, record.decode_record(reader.raw(one.id))) for one in reader.records_after(0, 1 << 30)]
    finally:
        reader.close()


def windows_of(made: Parts) -> list[record.Record]:
    return [one for _, one in bodies(made) if one.type == record.WINDOW]


def events_of(made: Parts, code: int) -> list[list[int]]:
    return [one.body.values for _, one in bodies(made) if one.type == record.EVENT and one.body.code == code]


@pytest.mark.parametrize("whole_chip", [False, True], ids=["file system", "whole chip"])
def test_nothing_is_lost_or_doubled_after_an_older_flash_image_is_put_back(tmp_path: Path, whole_chip: bool) -> None:
    """S-08: the file system alone: no number is used again. Counters too: what the gateway refuses comes again."""
    snapshot = tmp_path / "snapshot.img"
    with parts(tmp_path, UPLINK) as made:
        made.broker.start()
        made.gateway.start()
        made.gateway.wait_until_ready()
        prefill(made, OLD, 1)
        deliver(made, OLD)
        copy_image(made.terminal.image, snapshot)
        prefill(made, FIRST_LIFE, 1)
        deliver(made, OLD + FIRST_LIFE)
        if whole_chip:
            copy_image(snapshot, made.terminal.image)
        else:
            made.terminal.image.write_bytes(snapshot.read_bytes())
        prefill(made, SECOND_LIFE, 2)  # of two points: other windows than the first life's
        told = record.LOG_RENUMBERED if whole_chip else record.LOG_PUT_BACK
        deliver(made, OLD + FIRST_LIFE + SECOND_LIFE, told)
        found = windows_of(made)
        assert len(found) == OLD + FIRST_LIFE + SECOND_LIFE, "none is lost, none is there twice"
        assert sum(1 for one in found if len(one.body.readings) == 2) == SECOND_LIFE
        epochs = {epoch for epoch, _ in bodies(made)}
        if whole_chip:
            assert len(epochs) == 2
            assert len(events_of(made, record.LOG_RENUMBERED)) == 1
            assert not events_of(made, record.LOG_PUT_BACK)
            assert made.gateway.quarantined(), "the evidence"
        else:
            assert len(epochs) == 1
            ((first, last),) = events_of(made, record.LOG_PUT_BACK)
            assert last - first + 1 >= FIRST_LIFE
            assert made.gateway.quarantined() == {}
        log = made.gateway.process.log.read_text(encoding="utf-8")
        alarms = [json.loads(line) for line in log.splitlines() if '"alarm": true' in line]
        assert ("log_renumbered" if whole_chip else "log_put_back") in {one["event"] for one in alarms}
