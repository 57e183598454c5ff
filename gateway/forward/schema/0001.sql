-- What a sink has done, version 1 (SQLite, WAL, synchronous=FULL): one file a sink, written by its thread only.
--
-- Invariants
--   * a record is in at most one of these states: not looked at, in `outbox`, settled (delivered, skipped or dead)
--   * a packet stands in `outbox` before its first byte is sent, with its QN; it leaves when the platform has confirmed
--     it. After a restart the same bytes go out under the same QN, so the platform can see that they are the same.
--   * every record up to cursor `backlog` is in the outbox or settled; above it those in `ahead` are, too
--   * cursor `live` is how far the live lane has looked; `placements` how far the feed of placed windows is read

CREATE TABLE cursors (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- records above the backlog's cursor that the live lane has taken
CREATE TABLE ahead (
    record INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    record INTEGER NOT NULL,
    mn TEXT NOT NULL,
    qn TEXT NOT NULL UNIQUE,
    data BLOB NOT NULL
) STRICT;

CREATE INDEX outbox_of_record ON outbox (record);

-- records that this sink can't carry, with the reason
CREATE TABLE dead (
    record INTEGER PRIMARY KEY,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

CREATE TABLE texts (
    name TEXT PRIMARY KEY,          -- last_qn
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
