-- Alarms, version 8: what became of each change at each channel; kept as long as the change.

CREATE TABLE fates (
    change INTEGER NOT NULL REFERENCES changes (id) ON DELETE CASCADE,
    channel TEXT NOT NULL,
    fate TEXT NOT NULL CHECK (fate IN ('told', 'given_up')),
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (change, channel)
) STRICT, WITHOUT ROWID;

ALTER TABLE messages ADD COLUMN changes TEXT NOT NULL DEFAULT '[]';  -- JSON: ids of those that it tells
