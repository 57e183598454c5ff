-- Who changed what by the console, and who tried: only ever added to.

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    who TEXT NOT NULL,           -- the user's name; of a login that failed the name that was given
    address TEXT NOT NULL,
    action TEXT NOT NULL,        -- METHOD path
    asked TEXT NOT NULL,         -- JSON of what was asked, without passwords
    status INTEGER NOT NULL      -- of the answer: below 300 it was done
);
