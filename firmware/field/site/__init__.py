"""The site plan: an enterprise's switchboards, meters and points in one TOML file, before anybody goes there.

plan.py             the file's tables (the format)
check.py            what a table alone can't say: duplicates, profiles, ratios, phases, certificates
terminal_files.py   what of it lies on a terminal's flash
gateway_entries.py  what of it the gateway has in terminals.toml and enterprises.toml
"""

from firmware.field.site.check import Site, load

__all__ = ["Site", "load"]
