-- Updates of terminals, version 1 (SQLite, WAL, synchronous=FULL). Written by the gateway that runs, and by the command
-- `update`; each write is one transaction.
--
-- Invariants
--   * a bundle stands here only if its signature and all its hashes were right when it was imported
--   * what a terminal says in a record stands here before that record is acknowledged
--   * a terminal is in one rollout at most that is running or halted

CREATE TABLE bundles (
    number INTEGER NOT NULL,        -- of the release, as its manifest says
    board TEXT NOT NULL,
    version TEXT NOT NULL,
    best_before_s INTEGER NOT NULL, -- Unix s
    signed BLOB NOT NULL,           -- the manifest, as its maker signed it
    payload BLOB NOT NULL,
    imported_ms INTEGER NOT NULL,   -- Unix ms of the gateway's clock, as all that follow
    PRIMARY KEY (number, board)
) STRICT;

CREATE TABLE rollouts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    number INTEGER NOT NULL,        -- of the bundle
    board TEXT NOT NULL,
    percents TEXT NOT NULL,         -- where each stage ends, of the terminals, as JSON; the first: the canaries
    may_fail INTEGER NOT NULL,      -- so many failures do not halt it
    silent_ms INTEGER NOT NULL,     -- no word for so long is a failure
    begun_ms INTEGER NOT NULL,
    state TEXT NOT NULL,            -- running; halted; done, ended: over
    stage INTEGER NOT NULL,         -- the last one that has begun; 0: canaries
    stage_ms INTEGER NOT NULL,      -- since when
    why TEXT NOT NULL,              -- of halted, ended
    changed_ms INTEGER NOT NULL,
    FOREIGN KEY (number, board) REFERENCES bundles (number, board)
) STRICT;

-- the terminals of each rollout
CREATE TABLE members (
    rollout INTEGER NOT NULL REFERENCES rollouts (id),
    terminal TEXT NOT NULL,
    stage INTEGER NOT NULL,
    state TEXT NOT NULL,            -- gateway/updates/stages.py
    stored_bytes INTEGER NOT NULL,  -- that the terminal has of the payload
    reason INTEGER,                 -- of refused, went_back (protocol/UPDATES.md)
    since_ms INTEGER NOT NULL,      -- when the state began, or something of the payload came last
    offered INTEGER NOT NULL,       -- how often
    due_ms INTEGER NOT NULL,        -- not offered before
    excused INTEGER NOT NULL,       -- 1: its failure was seen by the operator, who let the rollout go on
    PRIMARY KEY (rollout, terminal)
) STRICT, WITHOUT ROWID;

CREATE INDEX members_of_terminal ON members (terminal);

-- the last word of each terminal on updates, and what it says is in force
CREATE TABLE words (
    terminal TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,         -- the event that says so
    seq INTEGER NOT NULL,
    in_force INTEGER,               -- number of the release; null: it never said
    said_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
