"""Updates of terminals' applications, staged: canaries first, then the rest in waves; halted where they fail.

A release goes down as its maker signed it (protocol/UPDATES.md); what is known of it terminals say in events.

order.py      what an operator orders, begun
selection.py  which terminals, and in which stage each
stages.py     whether a rollout goes on, waits, halts or is done, by how its terminals stand
pacing.py     how many bytes are under way to all terminals together
store.py      bundles, rollouts, and how each terminal stands: durable (schema/0001.sql explains it)
bundles.py    the table of bundles: imported once they are checked
rollouts.py   the tables of rollouts and their terminals
desk.py       the above at work in the running gateway, in the pipeline's thread
"""
