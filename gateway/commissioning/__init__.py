"""What technicians send in: who may, the key that only we can open, and what becomes of it in terminals.toml.

technicians.py    technicians.toml: whose signature counts
sealing_key.py    our key pair; site plans name its public part
admission.py      an enrolment, then a report: checked, kept as evidence, taken into terminals.toml
"""
