"""Meters wired wrongly in every way that a technician does it, and how many of them the wiring check names."""
