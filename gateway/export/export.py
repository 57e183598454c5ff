"""A span of the journal into a file: whole or not at all."""

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from gateway.export.columns import Row
from gateway.export.writers import Format, writer_of
from gateway.files import sync_folder

ROWS_A_TIME = 16_384  # in memory at once, some 20 MiB of Python objects; a row group of Parquet that reads well


def export(rows: Iterable[Row], form: Format, file: Path) -> int:
    """Write the rows; returns how many. The file appears when it is complete and on the disk, replacing none.

    Raises FileExistsError, OSError, MissingExtraError; then there is no file.
    """
    if file.exists():
        raise FileExistsError(file)
    partial, count, left = file.with_name(f".{file.name}.partial"), 0, iter(rows)
    try:
        with writer_of(form, partial) as writer:
            while some := list(islice(left, ROWS_A_TIME)):
                writer.write(some)
                count += len(some)
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        os.link(partial, file)  # never over another file
        sync_folder(file.resolve().parent)
    finally:
        partial.unlink(missing_ok=True)
    return count
