"""A journal of each earlier version is brought up to date: the same records, numbers, marks and places."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from gateway.config import VerifyConfig
from gateway.journal.journal import FILE, Journal
from gateway.journal.reader import Reader
from gateway.journal.rows import OlderSchemaError
from gateway.journal.spans import Spans
from tests.gateway.support import CONFLICT, NEW, NOW_S, REPEATED, Sender, accept, commit, reading, window

DATABASES = Path(__file__).parent / "databases"


def saved(folder: Path, version: str) -> Any:
    """Lay a saved journal into the folder; what its own version said of it."""
    with sqlite3.connect(folder / FILE) as connection:
        connection.executescript((DATABASES / f"{version}.sql").read_text("utf-8"))
    connection.close()
    return json.loads((DATABASES / f"{version}.json").read_text("utf-8"))


def test_version_1_keeps_records_numbers_marks_and_places(tmp_path: Path) -> None:
    said = saved(tmp_path, "0001")
    Journal(tmp_path, VerifyConfig()).close()
    reader = Reader(tmp_path)
    stored = reader.records_after(0, 100)
    assert json.loads(json.dumps(stored)) == said["records"]
    assert [reader.raw(one.id).hex() for one in stored] == said["raw"]
    assert [[number, one.id, one.start_s] for number, one in reader.placements_after(0, 100)] == said["placements"]
    assert reader.counts() == {**said["counts"], "schema": 2}


def test_what_version_1_took_is_still_known(tmp_path: Path) -> None:
    """S-01, S-02: over the migration."""
    said = saved(tmp_path, "0001")
    journal, sender = Journal(tmp_path, VerifyConfig()), Sender()
    raws = {(one[1], one[2], one[3]): bytes.fromhex(raw) for one, raw in zip(said["records"], said["raw"], strict=True)}
    of_log = [raw for (terminal, epoch, _), raw in raws.items() if (terminal, epoch) == ("T0001", 7)]
    assert commit(journal, [accept(sender, sender.frame(of_log))]) == [[REPEATED] * len(of_log)]
    forged = window(5, NOW_S - 6300, [reading(e_import_wh=1)])
    between = window(4, NOW_S - 7200, [reading(e_import_wh=1_003_000)], end_uptime_s=12_600)
    assert commit(journal, [accept(sender, sender.frame([forged, between]))]) == [[CONFLICT, NEW]]
    marks = {
        (one.epoch, one.seq): one.marks for one in Reader(tmp_path).records_after(0, 100) if one.terminal == "T0001"
    }
    assert marks[7, 4] == []
    assert marks[7, 5] == [("energy_jumped", 1)]


def test_a_reader_says_that_a_journal_must_be_migrated_first(tmp_path: Path) -> None:
    saved(tmp_path, "0001")
    for kind in (Reader, Spans):
        with pytest.raises(OlderSchemaError, match="schema 1 of 2"):
            kind(tmp_path)
