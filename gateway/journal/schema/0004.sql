-- The journal, version 4: which days of the index a look back need not read.

-- index: no run of the day has a record beyond this one; a question about what was accepted since is not asked of it
CREATE TABLE days (
    day INTEGER PRIMARY KEY,
    last_record INTEGER NOT NULL
) STRICT;

INSERT INTO days (day, last_record) SELECT day, (SELECT indexed FROM progress) FROM (SELECT DISTINCT day FROM runs);
