-- What a sink has done, version 2: sinks of all kinds. `outbox` is used by those that number what they send (HJ 212).
--
-- Invariants besides those of version 1
--   * cursors move when the sink has a record safe; for one with an outbox that is when its packets stand in there
--   * `refeeds` may be added to by another process (`wattline gateway refeed`); all else is the sink's thread's alone

-- spans that are to be handed over again, after everything else
CREATE TABLE refeeds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    feed TEXT NOT NULL CHECK (feed IN ('records', 'placements')),
    next INTEGER NOT NULL,          -- the first id of it that was not handed over again yet
    last INTEGER NOT NULL
) STRICT;

-- from time to time: up to where everything was safe then. So a sink that is put back is fed again from the right record
CREATE TABLE marks (
    at_ms INTEGER PRIMARY KEY,      -- Unix ms of the gateway's clock
    record INTEGER NOT NULL,
    placement INTEGER NOT NULL
) STRICT;

-- one row: how the sink is
CREATE TABLE health (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    reason TEXT NOT NULL,           -- '' : it works; else a key of gateway.forward.sink.REASONS
    detail TEXT NOT NULL,
    since_ms INTEGER NOT NULL       -- Unix ms: when it became so
) STRICT;

-- those of 0 go first
ALTER TABLE outbox ADD COLUMN backlog INTEGER NOT NULL DEFAULT 0;
CREATE INDEX outbox_of_station ON outbox (mn, backlog, id);
