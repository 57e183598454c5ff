"""Backup of a data_dir while the gateway runs, and its restore.

A restored set must satisfy one thing above all: no sink has gone past the journal, or what the journal takes next under
those numbers would never be forwarded. So sinks are copied first and the journal last: each sink's cursor is then one
that the journal had reached already. The other way round it would not be true.

stores.py   the files of a data_dir, how one is copied, checked, and how sinks and journal fit
backup.py   data_dir > folder
restore.py  folder > data_dir: all of it, or nothing
upgrade.py  stores of another version: copied and migrated, or left alone
"""
