-- What a sink has done, version 6: whose a log text is.
--
-- Invariants
--   * a channel has one message under way: what it was told before that is noted, and answered texts of it may go
--   * `wattline gateway watch` also refuses what a channel had told that is none any more

ALTER TABLE log_texts ADD COLUMN channel TEXT NOT NULL DEFAULT '';  -- '': of an earlier version, or a test of a channel
