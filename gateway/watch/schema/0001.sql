-- What the watch found, as alarms; what people did about them; how far the journal was looked at.

CREATE TABLE alarms (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    enterprise TEXT NOT NULL,
    linkage TEXT NOT NULL,
    family TEXT NOT NULL,            -- findings that turn into each other: gateway/watch/alarms.py
    kind TEXT NOT NULL,              -- what it is by what is known: gateway/watch/linkage.py
    from_s INTEGER NOT NULL,
    to_s INTEGER NOT NULL,           -- end of what was found
    production_w INTEGER NOT NULL,
    treatment_w INTEGER NOT NULL,
    state TEXT NOT NULL,             -- open, acknowledged, dispatched, answered, closed, withdrawn
    found_ms INTEGER NOT NULL,       -- by the gateway's clock
    changed_ms INTEGER NOT NULL
);
CREATE INDEX alarms_subject ON alarms (enterprise, linkage, family, to_s);

CREATE TABLE steps (
    alarm INTEGER NOT NULL REFERENCES alarms (id),
    at_ms INTEGER NOT NULL,
    state TEXT NOT NULL,
    who TEXT NOT NULL,
    note TEXT NOT NULL
);
CREATE INDEX steps_alarm ON steps (alarm, at_ms);

CREATE TABLE progress (
    record INTEGER NOT NULL,     -- the newest of the journal that was looked at
    placement INTEGER NOT NULL   -- likewise, of windows that were given a time later
);
INSERT INTO progress VALUES (0, 0);
