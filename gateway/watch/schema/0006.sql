-- Alarms, version 6: what terminals told of their meters' identities, which outlasts the journal's records.

CREATE TABLE meters (
    terminal TEXT NOT NULL,
    point INTEGER NOT NULL,
    at_s INTEGER NOT NULL,       -- Unix s, as the terminal said; where it did not know the time: when it came
    code INTEGER NOT NULL,       -- of the event: gateway/watch/meters.py
    serial INTEGER NOT NULL,     -- of these three 0: not told
    ct_milli INTEGER NOT NULL,
    pt_milli INTEGER NOT NULL,
    PRIMARY KEY (terminal, point, at_s, code)
) WITHOUT ROWID;
