"""A board on a serial port: what it is, what runs on it, and how files get on it and off again.

errors.py    what can go wrong, by what the technician does next
ports.py     which ports there are, who holds one, what permission is missing
link.py      one board on one port, by MicroPython's raw REPL
"""
