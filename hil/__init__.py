"""The bench: what the field has, faults in it, and an oracle that says what was lost, doubled or invented."""
