-- The journal, version 1 (SQLite, WAL, synchronous=FULL; one writer, any number of readers).
--
-- Invariants
--   * a record is here once: (terminal, epoch, seq) is unique, for ever
--   * a record's bytes are in its frame, at `at`, `size` bytes long; frames are kept as they came, so that any reading
--     can be proven again with the terminal's key; `digest` is the SHA-256 of the record's bytes
--   * rows of frames and records never change, but for `marks`
--   * all else (placements, boots, registers) follows from the set of records alone, not from the order they came in
--   * `records.id` is the order of acceptance: a sink's cursor is such an id. Ids are never used again.
--
-- Recovery: SQLite's own. A batch is one transaction; what was not committed was not acknowledged.

CREATE TABLE terminals (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- a frame that brought at least one new record
CREATE TABLE frames (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    terminal INTEGER NOT NULL REFERENCES terminals,
    received_ms INTEGER NOT NULL,   -- Unix ms of the gateway's clock
    generation INTEGER NOT NULL,    -- of the key that authenticated it
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE records (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    terminal INTEGER NOT NULL REFERENCES terminals,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    type INTEGER NOT NULL,          -- 1 window, 2 event
    start_s INTEGER,                -- a window's start, an event's time: as the terminal said, null if it did not know
    length_s INTEGER NOT NULL,      -- 0 for events
    boot INTEGER NOT NULL,
    uptime_s INTEGER NOT NULL,      -- at the window's end, at the event
    frame INTEGER NOT NULL REFERENCES frames,
    at INTEGER NOT NULL,            -- where the record begins in the frame's bytes, from 0
    size INTEGER NOT NULL,
    digest BLOB NOT NULL,
    marks TEXT NOT NULL,            -- what verify found: JSON [[check, point or null], ...]
    UNIQUE (terminal, epoch, seq)
) STRICT;

CREATE INDEX records_of_frame ON records (frame);
CREATE INDEX records_without_time ON records (terminal, epoch, boot) WHERE start_s IS NULL AND type = 1;

-- the best record of a boot that carries both time and uptime: smallest error, then uptime, then seq
CREATE TABLE boots (
    terminal INTEGER NOT NULL REFERENCES terminals,
    epoch INTEGER NOT NULL,
    boot INTEGER NOT NULL,
    error_s INTEGER NOT NULL,
    uptime_s INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    time_s INTEGER NOT NULL,        -- Unix s at uptime_s
    PRIMARY KEY (terminal, epoch, boot)
) STRICT, WITHOUT ROWID;

-- where windows without a time of their own belong, by `boots`; a better anchor moves start_s, never id
CREATE TABLE placements (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    record INTEGER NOT NULL UNIQUE REFERENCES records,
    start_s INTEGER NOT NULL
) STRICT;

-- energy registers as last read in each window: what those before and after are held against
CREATE TABLE registers (
    terminal INTEGER NOT NULL REFERENCES terminals,
    epoch INTEGER NOT NULL,
    point INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    boot INTEGER NOT NULL,
    uptime_s INTEGER NOT NULL,      -- of the last sample
    time_s INTEGER,                 -- likewise, Unix s, if the terminal knew it
    import_wh INTEGER,
    export_wh INTEGER,
    PRIMARY KEY (terminal, epoch, point, seq)
) STRICT, WITHOUT ROWID;

-- totals that `status` reports over all starts
CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
