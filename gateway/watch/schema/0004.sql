-- Alarms, version 4: of each terminal what it told last; NULL: it has not told yet.

ALTER TABLE heard ADD COLUMN window_s INTEGER;         -- begin of its newest window, Unix s
ALTER TABLE heard ADD COLUMN clock_error_s INTEGER;    -- of that window; 65535: not known
ALTER TABLE heard ADD COLUMN pending INTEGER;          -- records that waited in it, by its newest health event
ALTER TABLE heard ADD COLUMN health_s INTEGER;         -- time of that event
ALTER TABLE heard ADD COLUMN firmware INTEGER;         -- 1,000,000 x major + 1,000 x minor + patch, by its newest start
ALTER TABLE heard ADD COLUMN started_s INTEGER;        -- time of that start
