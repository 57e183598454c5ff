-- The journal, version 5: what a chart shows stands in the index, so that a month of an enterprise is some hundred pages,
-- and not a block of 64 terminals' frames for each window of it.

-- index: mean powers of a run's records. A table of its own: beside the entries a row would be too long for its page,
-- and have another page for itself. A run without a row here is one that an earlier version wrote, or what retention
-- left of one: its frames say it
CREATE TABLE powers (
    day INTEGER NOT NULL,
    terminal INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    first INTEGER NOT NULL,
    -- in the order of the run's entries: how many points (1 byte, 0 for an event), then of each from point 1 on its mean
    -- power in W (4, little-endian, signed; -2**31: none)
    powers BLOB NOT NULL,
    PRIMARY KEY (day, terminal, epoch, first)
) STRICT, WITHOUT ROWID;

-- index: as before, but with a rowid: then a row of 9 points' ends (1.2 KiB) stands in its page, and needs no page for
-- itself, which was most of what the index wrote
ALTER TABLE extents RENAME TO extents_4;

CREATE TABLE extents (
    terminal INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    first INTEGER NOT NULL,         -- seq
    last INTEGER NOT NULL,
    first_record INTEGER NOT NULL,
    last_record INTEGER NOT NULL,
    ends BLOB NOT NULL,             -- each point's registers that come first and last (Ends, cext/ledger.pxi)
    PRIMARY KEY (terminal, epoch, first)
) STRICT;

INSERT INTO extents SELECT terminal, epoch, first, last, first_record, last_record, ends FROM extents_4
ORDER BY terminal, epoch, first;

DROP TABLE extents_4;
