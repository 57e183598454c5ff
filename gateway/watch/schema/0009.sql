-- Alarms, version 9: why a change was given up.

ALTER TABLE fates ADD COLUMN detail TEXT NOT NULL DEFAULT '';
