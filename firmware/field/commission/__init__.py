"""From a blank board to a terminal that the gateway has heard: one command that goes on where it was broken off.

session.py     what was done so far, in a file that is replaced after each step; no secret is in it
flow.py        the steps in their order, and what each needs of the one before
steps.py       each step as the flow runs it
provision.py   identity, key, network, certificates and configuration onto the board; the enrolment for the gateway
held.py        the board quiet while the laptop's adapter asks the meters
upload.py      a test upload: watches the terminal's console until the gateway has acknowledged a record
report.py      the signed report, its page and label, out of what the steps found
console.py     what a board says, line by line, also when its port goes away and comes back
"""
