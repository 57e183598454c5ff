"""Whom what befalls, and when, drawn from a seed. Pure."""

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

KILLED, RESTARTED, SLOWED, PUT_BACK, FED_TWICE = "killed", "restarted", "slowed", "put_back", "fed_twice"
FULL, READ_ONLY = "full", "read_only"
SERVER = (KILLED, RESTARTED, SLOWED, PUT_BACK, FED_TWICE)
FOLDER = (KILLED, SLOWED, FULL, READ_ONLY, PUT_BACK, FED_TWICE)  # it has no process that could be restarted
DELAY_MAX_S = 0.3  # a burst takes about so long to reach all sinks


class Turn(NamedTuple):
    """One abuse. delay_s: from a burst to it; gateway_dies: the gateway is killed in the same burst, and started."""

    sink: str
    abuse: str
    delay_s: float
    gateway_dies: bool


def plan(seed: int, abuses: Mapping[str, Sequence[str]], count: int | None = None) -> list[Turn]:
    """Each abuse of each sink once, in an order drawn from the seed; where `count` is less, each sink once before any
    twice.
    """
    rnd = random.Random(seed)
    waiting = {sink: rnd.sample(list(of_sink), len(of_sink)) for sink, of_sink in abuses.items()}
    turns = []
    while waiting:
        for sink in rnd.sample(sorted(waiting), len(waiting)):
            abuse = waiting[sink].pop()
            turns.append(Turn(sink, abuse, round(rnd.uniform(0, DELAY_MAX_S), 3), rnd.random() < 1 / 4))
        waiting = {sink: left for sink, left in waiting.items() if left}
    return turns[:count]
