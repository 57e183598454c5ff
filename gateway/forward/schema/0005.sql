-- What a sink has done, version 5: log texts (HJ 212, CN 3020) that a platform does not answer let readings pass, and
-- are given up after so many rounds of resends (gateway/forward/text_packets.py).
--
-- Invariants
--   * a text is marked sent before its first byte goes out: one that is not may get another QN, one that is never
--   * what is given up keeps its packet: an event's as a dead letter, a told text's in its own row

-- of the outbox: those of events
ALTER TABLE outbox ADD COLUMN is_text INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN sent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN rounds INTEGER NOT NULL DEFAULT 0;  -- without an answer, while other packets had one
UPDATE outbox SET is_text = 1, sent = 1 WHERE instr(data, CAST(';CN=3020;' AS BLOB)) > 0;
CREATE INDEX outbox_of_texts ON outbox (mn, backlog, id) WHERE is_text = 1;

ALTER TABLE log_texts ADD COLUMN sent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE log_texts ADD COLUMN rounds INTEGER NOT NULL DEFAULT 0;
UPDATE log_texts SET sent = 1 WHERE state = 'under_way';

-- of one that was under way and was given up
ALTER TABLE dead ADD COLUMN packet BLOB;
