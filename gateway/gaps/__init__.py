"""The gap ledger: for each point and window of the commissioned time present, late, or missing with its cause.

words.py    the closed list of causes, and what a window's cell is
slots.py    which points of a stored window have a reading
cells.py    what the journal has of one terminal's cells
causes.py   why a cell has nothing
ledger.py   both joined: runs of missing windows, completeness by day
source.py   the above, fed from the journal and quarantine
watch.py    the last day of the whole fleet, kept up as records come in, for the metrics
"""
