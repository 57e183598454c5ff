-- Updates, version 3: which release each terminal began with at its newest start, which stands in for a word that is lost.

ALTER TABLE words ADD COLUMN start_epoch INTEGER;   -- the event boot that says so; null: none did
ALTER TABLE words ADD COLUMN start_seq INTEGER;
ALTER TABLE words ADD COLUMN release INTEGER;       -- number of what it began with
ALTER TABLE words ADD COLUMN on_trial INTEGER;      -- 1: on trial
