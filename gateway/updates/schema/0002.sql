-- Updates, version 2: terminals that were asked for and left out of a rollout, as their board is another one.

CREATE TABLE left_out (
    rollout INTEGER NOT NULL REFERENCES rollouts (id),
    terminal TEXT NOT NULL,
    board TEXT NOT NULL,            -- as terminals.toml had it
    PRIMARY KEY (rollout, terminal)
) STRICT, WITHOUT ROWID;
