"""The contract between terminal and gateway: SPEC.md in code. Runs on MicroPython and CPython."""
