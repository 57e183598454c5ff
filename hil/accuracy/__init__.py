"""Accuracy: known registers through the whole chain, and each quantity of the export held against a declared limit.

points.py   what is set at the meters' test stand: the range, sign changes, unbalance
check.py    the limits, and what came of each quantity
run.py      one run: meters to the byte, terminal, gateway, journal, export
cli.py      `wattline hil accuracy`
"""
