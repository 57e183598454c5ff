-- What a sink has done, version 7: log texts of events (HJ 212, CN 3020) that wait for others, and their seconds.
--
-- Invariants
--   * a record in `held` is neither in `outbox` nor settled, and the lanes have passed it; the journal may retire it
--   * two texts of a station have not the same second: a platform may know them by MN, CN and DataTime alone

-- records of the journal that are handed over when there is room
CREATE TABLE held (
    record INTEGER PRIMARY KEY
) STRICT;

-- the DataTime of texts, those that are answered too
CREATE TABLE text_seconds (
    number INTEGER PRIMARY KEY,
    mn TEXT NOT NULL,
    second INTEGER NOT NULL,        -- Unix s
    record INTEGER NOT NULL,        -- of the journal; 0: what people have told
    UNIQUE (mn, second)
) STRICT;

-- the last one of each station, as earlier versions kept it
INSERT INTO text_seconds (mn, second, record)
    SELECT substr(name, length('text_s.') + 1), CAST(value AS INTEGER), 0 FROM texts WHERE name GLOB 'text_s.*';
DELETE FROM texts WHERE name GLOB 'text_s.*';
