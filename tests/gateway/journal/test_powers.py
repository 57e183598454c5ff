"""Mean powers in the journal's index: those that the frames say, wherever they are read from."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cext.decoder import KeyState
from gateway.config import VerifyConfig
from gateway.journal import index
from gateway.journal.audit import Audit, Keys
from gateway.journal.blocks import DamagedError
from gateway.journal.journal import FILE, Journal
from gateway.journal.reader import Reader
from gateway.journal.retention import Rule
from gateway.journal.spans import Spans
from protocol import record
from tests.gateway.journal.saved import lay, saved_versions
from tests.gateway.support import NOW_S, Sender, accept, commit, event, reading, window

DAY_S = 86_400
POWERS_W: list[int | None] = [None, 0, 1, -1, 4000, 2**31 - 1, -(2**31) + 1]
RETIRED_MS = (NOW_S + 10) * 1000


def write_index(journal: Journal) -> None:
    opened = journal._open()
    index.write(opened.connection, opened.ledger, opened.next_id - 1)


def change(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        connection.execute(statement)


def shown(folder: Path) -> dict[int, list[int | None]]:
    """What a chart would show of all windows that have a time, by record."""
    with closing(Spans(folder)) as spans:
        return {
            entry.id: list(powers_w)
            for name in spans.terminals()
            for entry, powers_w in spans.powers(name, 0, NOW_S + DAY_S)
        }


def said(folder: Path) -> dict[int, list[int | None]]:
    """The same by the codec that terminals have, out of each record's bytes."""
    with closing(Spans(folder)) as spans:
        ids = [one.id for name in spans.terminals() for one in spans.windows(name, 0, NOW_S + DAY_S)]
    with closing(Reader(folder)) as reader:
        return {one: powers_in(record.decode_record(reader.raw(one))) for one in ids}


def powers_in(one: Any) -> list[int | None]:
    return [slot.p_mean_w if isinstance(slot, record.Reading) else None for slot in one.body.readings]


def some_slot(chance: random.Random) -> Any:
    """A reading with a power or without, none because, or no such point."""
    power_w = chance.choice(POWERS_W)
    made = reading(p_mean_w=power_w, p_min_w=power_w, p_max_w=power_w)
    return chance.choice([made, made, made, record.NONE_SILENT, None])


def fill(folder: Path, chance: random.Random, *, retires: bool = True) -> Journal:
    """Windows in any order, of days and without a time, events between them; indexed, opened again and retired."""
    journal, senders = Journal(folder, VerifyConfig()), [Sender("A"), Sender("B", b"b" * 32)]
    numbers = list(range(1, 61))
    chance.shuffle(numbers)
    for at, number in enumerate(numbers):
        sender = chance.choice(senders)
        start_s = None if chance.random() < 0.1 else NOW_S - 3 * DAY_S + 3600 * number
        slots = [some_slot(chance) for _ in range(chance.choice([1, 2, 9, 32]))]
        made = window(number, start_s, [*slots, reading()][:32], end_uptime_s=900 * number)
        frame = sender.frame([made, event(100 + number, NOW_S - 3 * DAY_S, uptime_s=900 * number)])
        commit(journal, [accept(sender, frame, now_s=NOW_S + at)])
        if chance.random() < 0.2:
            write_index(journal)
        if chance.random() < 0.1:
            journal.close()  # what is not in the index is read out of the frames, when it is opened again
        if retires and at == 40:
            journal.retire(Rule(RETIRED_MS, None), {})
    return journal


@pytest.mark.parametrize("seed", range(6))
def test_a_chart_shows_what_the_frames_say_whatever_the_index_has(tmp_path: Path, seed: int) -> None:
    """P-485: indexed or not, after a start, in any order, after retention, and where an index has no powers."""
    journal = fill(tmp_path, random.Random(seed))
    expected = said(tmp_path)
    assert len(expected) > 40
    assert shown(tmp_path) == expected
    write_index(journal)
    assert shown(tmp_path) == expected
    journal.close()
    change(tmp_path, "DELETE FROM powers WHERE first % 2")
    assert shown(tmp_path) == expected


def test_a_chart_of_what_is_indexed_reads_no_frame(tmp_path: Path) -> None:
    """P-486: they are gone, and it is drawn all the same."""
    journal = fill(tmp_path, random.Random(1), retires=False)
    expected = said(tmp_path)
    write_index(journal)
    journal.close()
    change(tmp_path, "UPDATE blocks SET frames = x''")
    assert shown(tmp_path) == expected


@pytest.mark.parametrize("version", saved_versions())
def test_a_journal_of_an_earlier_version_is_shown_out_of_its_frames(tmp_path: Path, version: str) -> None:
    """P-485"""
    lay(tmp_path, version)
    Journal(tmp_path, VerifyConfig()).close()
    assert shown(tmp_path) == said(tmp_path)


@pytest.mark.parametrize(
    ("damage", "said_of_it"),
    [
        ("CAST(substr(powers, 1, length(powers) - 1) || x'00' AS BLOB)", None),
        ("substr(powers, 1, length(powers) - 2)", "cut off"),
        ("CAST(powers || x'00' AS BLOB)", "more records than it has"),
    ],
)
def test_powers_that_are_not_those_of_the_frame_are_found(tmp_path: Path, damage: str, said_of_it: str | None) -> None:
    """P-487: by the audit; a chart of what is no row of powers says that the journal is damaged."""
    journal, sender = Journal(tmp_path, VerifyConfig()), Sender()
    strong = dict.fromkeys(("p_mean_w", "p_min_w", "p_max_w"), 1 << 24)
    commit(journal, [accept(sender, sender.frame([window(1), window(2, readings=[reading(**strong)] * 2)]))])
    write_index(journal)
    journal.close()
    keys = {sender.name: {sender.key.generation: KeyState(sender.secret)}}
    assert reasons(tmp_path, keys) == ["", ""]
    change(tmp_path, f"UPDATE powers SET powers = {damage}")
    assert "index" in reasons(tmp_path, keys)
    if said_of_it:
        with pytest.raises(DamagedError, match=said_of_it):
            shown(tmp_path)
    else:
        assert shown(tmp_path)[2][1] == 0


def test_entries_that_are_cut_off_are_damage(tmp_path: Path) -> None:
    """P-487: the audit says so of the record, and goes on."""
    journal, sender = Journal(tmp_path, VerifyConfig()), Sender()
    commit(journal, [accept(sender, sender.frame([window(1), window(2)]))])
    write_index(journal)
    journal.close()
    change(tmp_path, "UPDATE runs SET entries = CAST(substr(entries, 1, length(entries) - 1) AS BLOB)")
    keys = {sender.name: {sender.key.generation: KeyState(sender.secret)}}
    assert reasons(tmp_path, keys) == ["index", "index"]
    with closing(Spans(tmp_path)) as spans, pytest.raises(DamagedError):
        spans.powers(sender.name, 0, NOW_S + DAY_S)


def reasons(folder: Path, keys: Keys) -> list[str]:
    with closing(Audit(folder)) as audit:
        return [one.reason for one in audit.prove(range(1, audit.last + 1), keys)]
