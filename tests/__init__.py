"""Mirrors the rooms. A package, so that tests may share helpers as `tests.<room>.<helper>`."""
