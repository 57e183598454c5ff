"""The monthly electricity health report of an enterprise (企业用电健康月报): what was measured, for people who sign it.

`account.py` counts, out of the journal's readings alone; `page.py` draws the sheet that is printed, `table.py` the CSV.
"""
