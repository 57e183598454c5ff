"""Benchmarks: how fast we are beside others, measured in one run (`make bench`, `python -m hil.benchmarks`)."""
