-- What is wanted of terminals, version 1 (SQLite, WAL, synchronous=FULL). Written by the gateway that runs, and by the
-- commands `configure` and `gaps --ask`; each write is one transaction.
--
-- Invariants
--   * what a terminal says in a record stands here before that record is acknowledged
--   * a terminal's versions are numbered upward, above every one that it ever spoke of

-- a run of record numbers of a terminal's log that did not come and is asked for
CREATE TABLE requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    terminal TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    first INTEGER NOT NULL,         -- seq; both ends included
    last INTEGER NOT NULL,
    asked_by TEXT NOT NULL,         -- gateway, operator
    asked_ms INTEGER NOT NULL,      -- Unix ms of the gateway's clock, as all that follow
    sent INTEGER NOT NULL,          -- how often
    sent_ms INTEGER,                -- last
    tries INTEGER NOT NULL,         -- how often since something of it came
    missing INTEGER NOT NULL,       -- of its numbers, when it was sent last; of one that is not open: given up
    due_ms INTEGER NOT NULL,        -- not sent before
    outcome TEXT NOT NULL,          -- open; came, gone (the terminal has it no more), refused, given_up
    gone INTEGER NOT NULL,          -- of its numbers, once it is not open any more
    refused INTEGER NOT NULL,
    closed_ms INTEGER
) STRICT;

CREATE INDEX requests_open ON requests (terminal) WHERE outcome = 'open';
CREATE INDEX requests_of_log ON requests (terminal, epoch);

-- numbers that are not asked for any more: the terminal says that it has them no longer, or we refused them for good
CREATE TABLE explained (
    terminal TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    why TEXT NOT NULL,              -- gone, refused
    PRIMARY KEY (terminal, epoch, why, first)
) STRICT, WITHOUT ROWID;

-- configurations that were ordered
CREATE TABLE configurations (
    terminal TEXT NOT NULL,
    version INTEGER NOT NULL,
    document BLOB NOT NULL,         -- as it is sent
    ordered_ms INTEGER NOT NULL,
    state TEXT NOT NULL,            -- pending; taken, refused, rolled_back; replaced, withdrawn: no longer sent
    reason INTEGER,                 -- of refused (protocol/SPEC.md, section 5)
    said_epoch INTEGER,             -- the event that says so
    said_seq INTEGER,
    said_ms INTEGER,                -- when it came
    sent INTEGER NOT NULL,
    sent_ms INTEGER,
    due_ms INTEGER NOT NULL,
    PRIMARY KEY (terminal, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX configurations_pending ON configurations (terminal) WHERE state = 'pending';

-- what each terminal said last
CREATE TABLE in_force (
    terminal TEXT PRIMARY KEY,
    version INTEGER,                -- 0: the technician's file; null: it never said
    newest INTEGER NOT NULL,        -- the highest version that it ever spoke of
    epoch INTEGER,                  -- the event that says what is in force
    seq INTEGER,
    said_ms INTEGER
) STRICT, WITHOUT ROWID;
