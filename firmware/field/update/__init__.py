"""Releases of the terminal's application: made, signed and shown (protocol/UPDATES.md, docs/updates.md)."""
