"""A journal of each earlier version is brought up to date: the same records, numbers, marks and places."""

from pathlib import Path
from typing import Any

import pytest

from gateway.config import VerifyConfig
from gateway.database import NewerSchemaError
from gateway.journal.audit import Audit, Fault
from gateway.journal.journal import FILE, SCHEMA, Journal
from gateway.journal.reader import Reader
from gateway.journal.rows import OlderSchemaError, connect_to
from gateway.journal.spans import Spans
from tests.gateway.journal.saved import lay, said_of, saved_versions
from tests.gateway.support import CONFLICT, NEW, NOW_S, REPEATED, Sender, accept, commit, reading, window

VERSIONS = saved_versions()
NEWEST = len(list(SCHEMA.glob("*.sql")))


def test_there_is_a_saved_journal_of_every_version_but_todays() -> None:
    assert [int(one) for one in VERSIONS] == list(range(1, NEWEST))


@pytest.mark.parametrize("version", VERSIONS)
def test_records_numbers_marks_and_places_are_kept(tmp_path: Path, version: str) -> None:
    """P-105"""
    said = lay(tmp_path, version)
    Journal(tmp_path, VerifyConfig()).close()
    found = said_of(tmp_path)
    (_, counts), (_, expected) = (found.popitem(), said.popitem())
    assert found == said
    counts.pop("bytes")
    assert counts == {**{name: value for name, value in expected.items() if name != "bytes"}, "schema": NEWEST}
    audit = Audit(tmp_path)
    assert not [one for one in audit.links() if isinstance(one, Fault)]
    audit.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_taken_is_still_known(tmp_path: Path, version: str) -> None:
    """S-01, S-02: over the migration."""
    said = lay(tmp_path, version)
    journal, sender = Journal(tmp_path, VerifyConfig()), Sender()
    raws = {(one[1], one[2], one[3]): bytes.fromhex(raw) for one, raw in zip(said["records"], said["raw"], strict=True)}
    of_log = [raw for (terminal, epoch, _), raw in raws.items() if (terminal, epoch) == ("T0001", 7)]
    assert commit(journal, [accept(sender, sender.frame(of_log))]) == [[REPEATED] * len(of_log)]


def test_steps_are_held_against_what_version_1_took(tmp_path: Path) -> None:
    lay(tmp_path, "0001")
    journal, sender = Journal(tmp_path, VerifyConfig()), Sender()
    forged = window(5, NOW_S - 6300, [reading(e_import_wh=1)])
    between = window(4, NOW_S - 7200, [reading(e_import_wh=1_003_000)], end_uptime_s=12_600)
    assert commit(journal, [accept(sender, sender.frame([forged, between]))]) == [[CONFLICT, NEW]]
    marks: dict[Any, Any] = {
        (one.epoch, one.seq): one.marks for one in Reader(tmp_path).records_after(0, 100) if one.terminal == "T0001"
    }
    assert marks[7, 4] == []
    assert marks[7, 5] == [("energy_jumped", 1)]


def test_a_reader_says_that_a_journal_must_be_migrated_first(tmp_path: Path) -> None:
    lay(tmp_path, "0001")
    for kind in (Reader, Spans, Audit):
        with pytest.raises(OlderSchemaError, match=f"schema 1 of {NEWEST}"):
            kind(tmp_path)


def test_a_newer_journal_is_refused_by_name_by_readers_and_writer(tmp_path: Path) -> None:
    """P-105"""
    journal = Journal(tmp_path, VerifyConfig())
    journal._open().connection.execute("PRAGMA user_version = 99")
    journal.close()
    for kind in (Reader, Spans, Audit, connect_to):
        with pytest.raises(NewerSchemaError, match=rf"{FILE}: schema 99, this program knows up to {NEWEST}"):
            kind(tmp_path)
    with pytest.raises(NewerSchemaError, match=rf"{FILE}: schema 99, this program knows up to {NEWEST}"):
        Journal(tmp_path, VerifyConfig())
