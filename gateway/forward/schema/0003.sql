-- What a sink has done, version 3: which intervals it has, one by one, so that each that is due can be accounted for.
--
-- A cell is an aligned quarter of an hour, Unix s; a day is one of UTC, Unix s / 86400.

-- a bit a cell of the day: 0 to 47 in low, 48 to 95 in high
CREATE TABLE acknowledged (
    day INTEGER NOT NULL,
    terminal TEXT NOT NULL,
    low INTEGER NOT NULL,
    high INTEGER NOT NULL,
    PRIMARY KEY (day, terminal)
) STRICT, WITHOUT ROWID;

-- windows that this sink is not to have, with the reason
CREATE TABLE withheld (
    cell INTEGER NOT NULL,
    terminal TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (cell, terminal)
) STRICT, WITHOUT ROWID;

-- of windows; null of events, and of what an earlier version took
ALTER TABLE outbox ADD COLUMN terminal TEXT;
ALTER TABLE outbox ADD COLUMN cell INTEGER;
ALTER TABLE dead ADD COLUMN terminal TEXT;
ALTER TABLE dead ADD COLUMN cell INTEGER;
