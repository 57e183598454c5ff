-- Alarms, version 5: what changed of each, and which channel was told.

ALTER TABLE alarms ADD COLUMN noted_kind TEXT NOT NULL DEFAULT '';    -- its kind when a change was noted last; '': never
ALTER TABLE alarms ADD COLUMN noted_end_s INTEGER;                    -- its end, likewise; NULL: none
ALTER TABLE alarms ADD COLUMN is_final INTEGER NOT NULL DEFAULT 0;    -- no change of it follows
ALTER TABLE alarms ADD COLUMN maintenance TEXT NOT NULL DEFAULT '';   -- why nobody is told of it
UPDATE alarms SET noted_kind = kind, noted_end_s = to_s, is_final = state IN ('closed', 'withdrawn');
CREATE INDEX alarms_to_note ON alarms (id) WHERE is_final = 0;

CREATE TABLE changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,    -- without gaps
    alarm INTEGER NOT NULL REFERENCES alarms (id),
    change TEXT NOT NULL,                    -- gateway/watch/changes.py
    at_ms INTEGER NOT NULL,
    shown TEXT NOT NULL,                     -- JSON: the alarm as it was then
    UNIQUE (alarm, change)
);

CREATE TABLE channels (
    name TEXT PRIMARY KEY,
    reached INTEGER NOT NULL,                -- the newest change that it was told, or is being told, or need not be
    told INTEGER NOT NULL DEFAULT 0,         -- changes that it confirmed
    digests INTEGER NOT NULL DEFAULT 0,      -- messages of several changes that it confirmed
    given_up INTEGER NOT NULL DEFAULT 0,     -- changes that it refused again and again
    lost INTEGER NOT NULL DEFAULT 0,         -- changes that it did not take while they were kept
    reason TEXT NOT NULL DEFAULT '',         -- '': it is well
    detail TEXT NOT NULL DEFAULT '',
    since_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE messages (                      -- committed before it is sent, there until it is confirmed
    channel TEXT PRIMARY KEY REFERENCES channels (name),
    id TEXT NOT NULL,
    told TEXT NOT NULL,                      -- JSON: its changes
    tries INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE identity (name TEXT NOT NULL);  -- of this file, in all ids of messages
INSERT INTO identity VALUES (lower(hex(randomblob(4))));
