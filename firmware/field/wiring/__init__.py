"""The wiring check: what a meter's readings say about how it is wired, judged against what the technician says runs.

facts.py      readings of some moments as one set of numbers, and what was told
currents.py   transformers that are missing, shorted, or of another ratio than their neighbours
angles.py     which phase and which direction each transformer is on, from each phase's power
whole.py      what can be said where a meter has the total's power only
judge.py      one point, from all of these
exchange.py   points that have each other's meters, production and treatment above all
words.py      what each verdict means, and what to turn round
steps.py      asks for a moment of load, reads, judges, and again until it passes
"""
