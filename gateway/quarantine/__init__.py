"""Refused frames, kept as evidence: quarantine.Quarantine writes, quarantine.QuarantineReader reads."""
