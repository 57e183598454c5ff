"""A small fleet of real processes for an hour, with faults drawn from a seed: is anything lost, does anything grow?"""
