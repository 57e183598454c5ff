"""Stores that several processes open."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import gateway
from gateway.console.audit import FILE as AUDIT
from gateway.console.audit import Audit
from gateway.database import StoreUnavailableError, connect, connect_for_reading, migrate, schema_version
from gateway.forward.outbox import SCHEMA, file_of, writable
from gateway.journal.journal import SCHEMA as JOURNAL
from gateway.journal.migration import STEPS
from gateway.watch.store import FILE as ALARMS
from gateway.watch.store import Store

SCHEMAS = sorted(Path(gateway.__file__).parent.glob("*/schema"))


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


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda one: one.parent.name)
def test_a_store_is_made_at_once_or_not_at_all(schema: Path, tmp_path: Path) -> None:
    """P-510: whenever its program is killed, the file is not one of an older version, which an upgrade would copy."""
    with closing(connect(tmp_path / "file")) as connection, closing(connect_for_reading(tmp_path / "file")) as other:
        seen = list[int]()
        connection.set_trace_callback(lambda _: seen.append(schema_version(other)))
        migrate(connection, schema, STEPS if schema == JOURNAL else {})
        connection.set_trace_callback(None)
        assert set(seen) == {0}
        assert schema_version(other) == len(list(schema.glob("*.sql")))


@pytest.mark.parametrize(
    ("open_store", "file"),
    [
        (Audit, lambda folder: folder / AUDIT),
        (Store, lambda folder: folder / ALARMS),
        (lambda folder: writable(file_of(folder, "a")), lambda folder: file_of(folder, "a")),
    ],
    ids=["console", "alarms", "sink"],
)
@pytest.mark.parametrize("content", [b"no database at all " * 100, None], ids=["garbage", "no_folder"])
def test_a_file_that_is_no_store_is_named_and_left_as_it_is(
    open_store: Callable[[Path], object], file: Callable[[Path], Path], content: bytes | None, tmp_path: Path
) -> None:
    """Nor is a folder made that somebody misspelt."""
    folder = tmp_path / "data"
    if content is not None:
        folder.mkdir()
        file(folder).write_bytes(content)
    with pytest.raises(StoreUnavailableError, match=file(folder).name):
        open_store(folder)
    assert (file(folder).read_bytes() if folder.exists() else None) == content
