"""Stores that several processes open."""

from contextlib import closing
from pathlib import Path

import pytest

from gateway.database import connect, migrate, schema_version
from gateway.forward.outbox import SCHEMA


@pytest.mark.parametrize("made_before", [0, 2])
def test_two_that_bring_a_file_up_to_date_at_once_both_find_it_made(tmp_path: Path, made_before: int) -> None:
    """P-373: the second comes in between the first's look at the version and its first transaction."""
    earlier, newest = tmp_path / "schema", len(list(SCHEMA.glob("*.sql")))
    earlier.mkdir()
    for step in sorted(SCHEMA.glob("*.sql"))[: max(1, made_before)]:
        (earlier / step.name).write_text(step.read_text())
    with closing(connect(tmp_path / "file")) as one, closing(connect(tmp_path / "file")) as other:
        if made_before:
            migrate(one, earlier)
        begun = list[str]()

        def come_between(statement: str) -> None:
            if statement.startswith("BEGIN") and not begun:
                begun.append(statement)
                migrate(other, SCHEMA)

        one.set_trace_callback(come_between)
        migrate(one, SCHEMA)
        assert begun
        assert schema_version(one) == schema_version(other) == newest
