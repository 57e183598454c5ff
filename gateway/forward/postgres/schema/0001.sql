-- What a Wattline gateway keeps in PostgreSQL, version 1. In a schema of its own; all times are UTC.
--
-- Identity: a record is (log, seq), for ever; a reading (log, seq, point). `start` stands first in the keys because rows
-- come in its order, and because a hypertable wants its time in every key. A window that the terminal could not place
-- (placed) may be placed better later: it is moved, not added.

CREATE TABLE logs (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    terminal text NOT NULL,
    epoch bigint NOT NULL,              -- one life of the terminal's store
    UNIQUE (terminal, epoch)
);

CREATE TABLE windows (
    start timestamptz NOT NULL,
    log integer NOT NULL,               -- of logs
    seq bigint NOT NULL,
    length_s smallint NOT NULL,
    received timestamptz NOT NULL,      -- by the gateway
    boot bigint NOT NULL,
    end_uptime_s bigint NOT NULL,
    samples_due smallint NOT NULL,
    clock_source smallint NOT NULL,     -- 0 none, 1 RTC, 2 SNTP, 3 gateway
    clock_error_s integer NOT NULL,     -- at most; 65535: not known
    placed boolean NOT NULL,            -- the terminal did not know the time, the gateway placed the window
    marks text NOT NULL,                -- what the gateway's checks found: check or check:point, by blanks
    PRIMARY KEY (start, log, seq)
);

CREATE INDEX windows_placed ON windows (log, seq) WHERE placed;

-- units end the names; absent is null. cext/pgcopy.pyx writes these columns in this order
CREATE TABLE readings (
    start timestamptz NOT NULL,
    log integer NOT NULL,
    seq bigint NOT NULL,
    point smallint NOT NULL,
    none_because smallint,              -- 1 silent, 2 refused, 3 garbled, 4 another meter, 5 not sampled; else there is a reading
    first_s smallint,                   -- from the window's start to the first sample
    last_s smallint,                    -- from the last sample to the window's end
    run_s smallint,
    p_mean_w integer,
    p_min_w integer,
    p_max_w integer,
    e_import_wh bigint,                 -- registers at the last sample
    e_export_wh bigint,
    r_import_varh bigint,
    r_export_varh bigint,
    ua_dv integer,                      -- 0.1 V
    ub_dv integer,
    uc_dv integer,
    ia_ma integer,
    ib_ma integer,
    ic_ma integer,
    pf_milli smallint,
    flags integer,
    missed smallint,
    q_mean_var integer,
    PRIMARY KEY (start, log, seq, point)
);

CREATE TABLE events (
    log integer NOT NULL,
    seq bigint NOT NULL,
    at timestamptz,                     -- null: the terminal did not know the time
    received timestamptz NOT NULL,
    boot bigint NOT NULL,
    uptime_s bigint NOT NULL,
    code smallint NOT NULL,
    point smallint,
    parameters bigint[] NOT NULL,
    PRIMARY KEY (log, seq)
);

-- up to which record of its journal everything of a gateway is here: one that finds less than it left feeds again
CREATE TABLE gateways (
    name text PRIMARY KEY,
    record bigint NOT NULL
);

CREATE VIEW power AS
    SELECT l.terminal, r.point, r.start, r.p_mean_w, r.e_import_wh, r.run_s, r.none_because, w.marks
    FROM readings r JOIN logs l ON l.id = r.log JOIN windows w USING (start, log, seq);
