"""Does treatment run while production does, and are readings those of live meters? Looked at over the journal.

`enterprises.toml` says what belongs together (enterprises.py); `slots.py` makes of readings what ran in each quarter of
an hour; `linkage.py` and `honesty.py` are the rules, pure functions; `measures.py` counts. `alarms.py` makes alarms of
findings, `store.py` keeps them, `watcher.py` looks at what comes in. The same journal gives the same alarms, in
whatever order its windows came. Nothing in here changes the journal.
"""
