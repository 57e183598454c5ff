# The contract of cext.pgcopy: readings of a batch as rows of PostgreSQL's binary COPY (its documentation, COPY, Binary
# Format: tuples alone, without header and trailer), in the columns of `readings`, gateway/forward/postgres/schema.

from typing_extensions import Buffer

# (rows of all points of these windows, how many). records, slots: `rows` of a batch's tables. rows, starts, logs: int64
# arrays of one length: a window's row in records, its start (Unix s), the number of its log. IndexError, ValueError.
def reading_rows(records: Buffer, slots: Buffer, rows: Buffer, starts: Buffer, logs: Buffer) -> tuple[bytes, int]: ...
