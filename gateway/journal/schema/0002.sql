-- The journal, version 2 (SQLite, WAL, synchronous=FULL; one writer, any number of readers).
--
-- What is true stands in `blocks` and `remarks`, which are only ever added to. All else follows from them: `runs` and
-- `extents` are an index that is written from time to time, of everything up to `progress`; a writer that starts reads
-- the blocks behind it. This is what makes a burst cheap: a commit appends a row for up to 64 frames and touches no tree
-- of a row a terminal. (A row a record, unique by identity, with each commit: 20 us a frame, measured; a block: 2.)
--
-- Invariants
--   * a record is here once: (terminal, epoch, seq), for ever, also after the frame that brought it was retired
--   * records are numbered in the order of acceptance, without gaps, from 1: a sink's cursor is such a number
--   * frames are kept as they came, so that any reading can be proven again with the terminal's key
--   * `link` chains all blocks: any row that is edited, deleted or inserted breaks it (chain.py)
--   * marks, places and the index depend on the set of records alone, not on the order they came in
--
-- Recovery: SQLite's own. A batch is one transaction; what was not committed was not acknowledged.

ALTER TABLE frames RENAME TO frames_1;
ALTER TABLE records RENAME TO records_1;
ALTER TABLE boots RENAME TO boots_1;
ALTER TABLE placements RENAME TO placements_1;
DROP INDEX records_of_frame;
DROP INDEX records_without_time;
DROP TABLE registers;

-- up to 64 frames of one commit, each with at least one record that was new
CREATE TABLE blocks (
    first INTEGER PRIMARY KEY,      -- number of its first new record
    records INTEGER NOT NULL,       -- how many: first .. first + records - 1, in the order of frames and within them
    received_ms INTEGER NOT NULL,   -- Unix ms of the gateway's clock
    link BLOB NOT NULL,             -- SHA-256 over the link before it and all other columns (chain.py)
    -- what verify found, 4 bytes a mark: record - first (2), check's number (1, cext/check_names.pxi), point (1, 0: all)
    marks BLOB NOT NULL,
    -- one after the other: which of its records are new here, bit i for record i (8), size (2), name's size (1),
    -- terminal's name, the frame as it came; all integers little-endian
    frames BLOB NOT NULL
) STRICT;

CREATE INDEX blocks_marked ON blocks (first) WHERE marks != x'';

-- an energy mark that a record got, or lost (energy_check 0), when one that stands before it came later
CREATE TABLE remarks (
    id INTEGER PRIMARY KEY,
    block INTEGER NOT NULL,         -- the first block of the commit that found it: its link covers this row
    record INTEGER NOT NULL,
    point INTEGER NOT NULL,
    energy_check INTEGER NOT NULL   -- the last row of a record and point counts
) STRICT;

CREATE INDEX remarks_of_record ON remarks (record);
CREATE INDEX remarks_of_block ON remarks (block);

-- index: where records are. By day first: a day's rows are written side by side, by terminal they are found at once.
-- A row is what one writing of the index had of a day and log; 9 records of a province's terminal, so one tree row for 9
CREATE TABLE runs (
    day INTEGER NOT NULL,           -- of the records' own time, Unix s / 86400; 0 where the terminal knew none
    terminal INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    first INTEGER NOT NULL,         -- seq
    -- ascending by seq, 52 bytes a record, little-endian: seq (4), record (8), received_ms (8), time_s (4: a window's
    -- start, an event's time), boot (4), uptime_s (4: at a window's end, at an event), length_s (2: 0 for events),
    -- type (1: 1 window, 2 event), whether the terminal knew the time (1), the SHA-256 of its bytes (its first 16)
    entries BLOB NOT NULL,
    PRIMARY KEY (day, terminal, epoch, first)
) STRICT, WITHOUT ROWID;

-- index: runs of a log's records without a hole; kept when their frames are retired
CREATE TABLE extents (
    terminal INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    first INTEGER NOT NULL,         -- seq
    last INTEGER NOT NULL,
    first_record INTEGER NOT NULL,
    last_record INTEGER NOT NULL,
    ends BLOB NOT NULL,             -- each point's registers that come first and last (Ends, cext/ledger.pxi)
    PRIMARY KEY (terminal, epoch, first)
) STRICT, WITHOUT ROWID;

-- a terminal's logs, by the record that came first: the newest is the one it should be writing
CREATE TABLE logs (
    terminal INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    first_record INTEGER NOT NULL,
    PRIMARY KEY (terminal, epoch)
) STRICT, WITHOUT ROWID;

-- one row: how far the index goes, what is retired, and the link before the first block that is kept
CREATE TABLE progress (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    indexed INTEGER NOT NULL,       -- records up to this number are in `runs` and `extents`
    retired INTEGER NOT NULL,       -- frames up to this record were retired
    link BLOB NOT NULL
) STRICT;

INSERT INTO progress (one, indexed, retired, link) VALUES (1, 0, 0, zeroblob(32));

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

-- windows whose terminal did not know the time
CREATE TABLE timeless (
    record INTEGER PRIMARY KEY,
    terminal INTEGER NOT NULL REFERENCES terminals,
    epoch INTEGER NOT NULL,
    boot INTEGER NOT NULL,
    uptime_s INTEGER NOT NULL,      -- at the window's end
    length_s INTEGER NOT NULL
) STRICT;

CREATE INDEX timeless_of_boot ON timeless (terminal, epoch, boot);

-- where they belong, by `boots`; a better anchor moves start_s, never id
CREATE TABLE placements (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    record INTEGER NOT NULL UNIQUE,
    start_s INTEGER NOT NULL
) STRICT;
