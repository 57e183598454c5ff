"""Red team: each attacker of docs/threat-model.md plays their moves against a running system on loopback."""
