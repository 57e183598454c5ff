"""Export: the journal's readings of a span, one row a point and window, as CSV or Parquet.

columns.py  what a row has, with units
rows.py     rows out of the journal
writers.py  rows into a file of one format
export.py   the public entry: a span into a file, whole or not at all
"""
