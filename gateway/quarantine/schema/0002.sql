-- Quarantine, version 2: what goes when it is full is found without a look at all the rest.

CREATE INDEX refused_of_reason ON refused (reason, id);
CREATE INDEX unknown_by_time ON unknown (last_ms, source);
