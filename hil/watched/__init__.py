"""How good the watch's alarms are: factories, meters and terminals of which it is known what was done, and when.

`play.py` has all of it; `wattline hil alarms` prints it as a table. Rules see what they see of a journal: rows, and
what came from terminals.
"""
