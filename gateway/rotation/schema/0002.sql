-- Changes of terminals' keys and certificates, version 2: certificates. Documents in versions, as wanted's configurations
-- are: the tables are the same, and the same code writes them (gateway/wanted/configurations.py).

-- certificates that were ordered
CREATE TABLE configurations (
    terminal TEXT NOT NULL,
    version INTEGER NOT NULL,
    document BLOB NOT NULL,         -- as it is sent: DER, the terminal's own, then its authorities'
    ordered_ms INTEGER NOT NULL,
    state TEXT NOT NULL,            -- pending; taken, refused, rolled_back; replaced, withdrawn: no longer sent
    reason INTEGER,                 -- of refused (protocol/SPEC.md, FR-95)
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
    version INTEGER,                -- 0: the technician's files; null: it never said
    newest INTEGER NOT NULL,        -- the highest version that it ever spoke of
    epoch INTEGER,                  -- the event that says what is in force
    seq INTEGER,
    said_ms INTEGER
) STRICT, WITHOUT ROWID;
