-- What a sink has done, version 4: log texts (HJ 212, CN 3020) that the watch has a platform told, beside the journal's records.
--
-- Invariants
--   * `wattline gateway watch` adds rows and reads their state; all else is the sink's thread's alone
--   * waiting > under_way > answered, or refused; a text has its packet and QN before a byte of it is sent
--   * a text is there once under its id; answered and refused ones are kept for who asks again after a kill, then retired

CREATE TABLE log_texts (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order in which they are sent
    id TEXT NOT NULL UNIQUE,                   -- of the change that is told
    terminals TEXT,                            -- JSON: the first of these that is a station tells it; null: any station
    time_s INTEGER NOT NULL,                   -- Unix s
    text TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'under_way', 'answered', 'refused')),
    reason TEXT NOT NULL DEFAULT '',           -- of one that is refused
    mn TEXT,                                   -- of the packet, once there is one
    qn TEXT UNIQUE,
    data BLOB
) STRICT;

CREATE INDEX log_texts_of_state ON log_texts (state, number);
