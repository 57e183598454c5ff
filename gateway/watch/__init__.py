"""Does treatment run while production does? Looked at over readings of the journal; changes nothing.

`enterprises.toml` says what belongs together (enterprises.py); `slots.py` makes of readings what ran in each quarter of
an hour; `linkage.py` is the rule, a pure function; `measures.py` counts. The same journal gives the same findings, in
whatever order its windows came.
"""
