-- The journal, version 3: retention (retention.py).
--
-- The oldest commits, whole ones, leave `blocks` and `remarks`; what the index and the placements have of their records
-- goes with them. `progress` says how far that went, and keeps the chain's link at that point: what is left is verified
-- from there. For ever stay `extents` and `retired` (no record is ever taken twice), `logs`, `boots`, `terminals`,
-- `counters`.

-- runs of a log's records that were retired: what tells a record that was taken, and is gone, from another one
CREATE TABLE retired (
    terminal INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    first INTEGER NOT NULL,         -- seq
    last INTEGER NOT NULL,
    PRIMARY KEY (terminal, epoch, first)
) STRICT, WITHOUT ROWID;

-- when the newest of what was retired had been received; 0: nothing was
ALTER TABLE progress ADD COLUMN retired_ms INTEGER NOT NULL DEFAULT 0;
