-- Who changed what by the console, and who tried: only ever added to.
--
-- `link` chains the rows: any that is edited, deleted or inserted breaks it (audit.py). What is cut off at the end is
-- seen by whoever kept the newest link.

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    who TEXT NOT NULL,           -- the user's name; of a login that failed the name that was given
    address TEXT NOT NULL,
    action TEXT NOT NULL,        -- METHOD path
    asked TEXT NOT NULL,         -- JSON of what was asked, without passwords
    status INTEGER NOT NULL,     -- of the answer: below 300 it was done
    link BLOB NOT NULL           -- SHA-256 over the link before it and all columns but this
);
