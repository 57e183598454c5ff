-- Alarms, version 7: how each linkage stands, so that a start need not look at days of all of them; logs that take turns.

CREATE TABLE standing (
    enterprise TEXT NOT NULL,
    linkage TEXT NOT NULL,
    made_of TEXT NOT NULL,          -- the linkage as enterprises.toml had it: of another one it says nothing
    next_s INTEGER NOT NULL,        -- gateway/watch/linkage.py
    ran INTEGER NOT NULL,
    stood INTEGER NOT NULL,
    told_to_s INTEGER NOT NULL,
    PRIMARY KEY (enterprise, linkage)
) WITHOUT ROWID;

ALTER TABLE heard ADD COLUMN epoch INTEGER;            -- of the window that came last
ALTER TABLE heard ADD COLUMN epoch_from_s INTEGER;     -- windows that begin before may be another log's, too

UPDATE alarms SET family = kind WHERE family = 'transformer';  -- each of them may be there beside the others
