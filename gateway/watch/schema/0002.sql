-- Alarms, version 2: of any subject (a linkage, a point, a terminal), with what each kind tells.

DROP INDEX alarms_subject;
ALTER TABLE alarms RENAME COLUMN linkage TO subject;
ALTER TABLE alarms ADD COLUMN facts TEXT NOT NULL DEFAULT '{}';  -- JSON, integers by name: gateway/watch/finding.py
UPDATE alarms SET facts = json_object('production_w', production_w, 'treatment_w', treatment_w);
ALTER TABLE alarms DROP COLUMN production_w;
ALTER TABLE alarms DROP COLUMN treatment_w;
CREATE INDEX alarms_subject ON alarms (enterprise, subject, family, to_s);
