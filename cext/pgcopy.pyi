# The contract of cext.pgcopy: windows and readings of a batch as rows of PostgreSQL's binary COPY (its documentation,
# COPY, Binary Format: tuples alone, without header and trailer), in the columns of gateway/forward/postgres/schema.

from typing_extensions import Buffer

# The rows of all points of these windows. records, slots: `rows` of a batch's tables. rows, starts, logs: int64
# arrays of one length: a window's row in records, its start (Unix s), the number of its log. IndexError, ValueError.
def reading_rows(records: Buffer, slots: Buffer, rows: Buffer, starts: Buffer, logs: Buffer) -> bytes: ...

# The rows of these windows. received_ms: an int64 array, by frame; marks: each one's text. IndexError, ValueError.
def window_rows(
    records: Buffer, rows: Buffer, starts: Buffer, logs: Buffer, received_ms: Buffer, marks: list[bytes]
) -> bytes: ...
