"""A terminal that is in trouble, looked at and saved over its console: by its own code, its key stays where it is.

asking.py   the terminal's own log and clock, opened on its board; its facts, its newest records, its pending frames
doctor.py   what the facts say, with a finding and an advice each
keeping.py  a terminal's configuration in a file, and back
"""
