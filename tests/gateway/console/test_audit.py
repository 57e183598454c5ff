"""The console's log of changes: any change of it is found."""

import sqlite3
from contextlib import closing
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.console.audit import FILE, Audit, Entry
from gateway.database import connect

COUNT = 12
COLUMNS = ("at_ms", "who", "address", "action", "asked", "status")


def written(folder: Path) -> str:
    """A log; returns its head."""
    (folder / FILE).unlink(missing_ok=True)
    with closing(Audit(folder)) as audit:
        for number in range(COUNT):
            audit.add(Entry(number, f"u{number}", "127.0.0.1", "POST /api/x", '{"a": 1}', 200))
        return audit.head()


def change(folder: Path, statement: str, *values: object) -> None:
    with closing(connect(folder / FILE)) as connection:
        connection.execute(statement, values)


def faults(folder: Path) -> list[str]:
    with closing(Audit(folder)) as audit:
        return list(audit.faults())


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, COUNT), st.sampled_from([*COLUMNS, "link", "gone", "moved"]))
def test_a_row_that_is_edited_deleted_or_moved_is_found(tmp_path: Path, number: int, what: str) -> None:
    """P-328, S-23."""
    head = written(tmp_path)
    if what == "gone":
        change(tmp_path, "DELETE FROM audit WHERE id = ?", number)
    elif what == "moved":
        change(tmp_path, "UPDATE audit SET id = id + 100 WHERE id = ?", number)
    else:
        value = bytes(32) if what == "link" else 7_777
        change(tmp_path, f"UPDATE audit SET {what} = ? WHERE id = ?", value, number)
    with closing(Audit(tmp_path)) as audit:
        assert list(audit.faults()) or audit.head() != head


def test_a_row_put_in_is_found_and_a_whole_log_has_no_fault(tmp_path: Path) -> None:
    """P-328, S-23."""
    written(tmp_path)
    assert faults(tmp_path) == []
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        row = connection.execute("SELECT * FROM audit WHERE id = ?", (COUNT,)).fetchone()
        connection.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (COUNT + 1, *row[1:]))
        connection.commit()
    assert faults(tmp_path) == [f"{COUNT + 1}: is not what was written / 已被改动"]
