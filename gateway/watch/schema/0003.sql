-- Alarms, version 3: what the rules that look at time itself go by.

CREATE TABLE heard (
    terminal TEXT PRIMARY KEY,
    at_s INTEGER NOT NULL           -- when a record of it came last, by the gateway's clock
) WITHOUT ROWID;

CREATE TABLE replayed (
    terminal TEXT PRIMARY KEY,
    until_s INTEGER NOT NULL        -- windows up to here were held against its history
) WITHOUT ROWID;

ALTER TABLE progress ADD COLUMN remark INTEGER NOT NULL DEFAULT 0;  -- the newest that changed a record's marks
