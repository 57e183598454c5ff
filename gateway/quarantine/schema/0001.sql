-- Quarantine, version 1 (SQLite, WAL, synchronous=FULL). A frame is in here before the broker may forget it.

CREATE TABLE refused (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_ms INTEGER NOT NULL,   -- Unix ms of the gateway's clock
    source TEXT NOT NULL,           -- the terminal that the topic names; '' where it names none
    topic TEXT NOT NULL,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL,            -- byte of the frame at which the reason was seen
    length INTEGER NOT NULL,        -- of the frame as it came
    data BLOB NOT NULL              -- its bytes; of one too large, the beginning
) STRICT;

CREATE INDEX refused_of_source ON refused (source, id);

-- terminals that are not admitted; kept when their frames have gone
CREATE TABLE unknown (
    source TEXT PRIMARY KEY,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    frames INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
