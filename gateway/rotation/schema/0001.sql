-- Changes of terminals' keys and certificates, version 1 (SQLite, WAL, synchronous=FULL). Written by the gateway that
-- runs, and by the command `rotate`; each write is one transaction. The file is its owner's alone: it holds keys.
--
-- Invariants
--   * a key stands here before the record that told of it is acknowledged, and before anything is said under it
--   * a key that was agreed on is never deleted: what was sealed by it can be proven later

-- the last change of each terminal's key
CREATE TABLE changes (
    terminal TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,    -- of the next key
    state TEXT NOT NULL,            -- asked, agreed, confirmed; refused, withdrawn
    reason INTEGER,                 -- of refused (protocol/SPEC.md, key_refused)
    newest INTEGER NOT NULL,        -- the highest generation that the terminal ever spoke of
    said_epoch INTEGER,             -- the event by which it was agreed on
    said_seq INTEGER,
    changed_ms INTEGER NOT NULL,    -- Unix ms of the gateway's clock, as all that follow: since when it is in this state
    sent INTEGER NOT NULL,          -- how often, in this state
    due_ms INTEGER NOT NULL         -- not sent before
) STRICT, WITHOUT ROWID;

-- keys that were agreed on, and our factors for changes that are not done yet
CREATE TABLE secrets (
    terminal TEXT NOT NULL,
    generation INTEGER NOT NULL,
    kind TEXT NOT NULL,             -- key, factor
    line TEXT NOT NULL,             -- as a key's file has it, sealed or in plain (gateway/keys)
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (terminal, generation, kind)
) STRICT, WITHOUT ROWID;

-- keys, of terminals.toml too, that open nothing new from then on
CREATE TABLE retired (
    terminal TEXT NOT NULL,
    generation INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (terminal, generation)
) STRICT, WITHOUT ROWID;
