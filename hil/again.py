"""The command that plays a run again: whatever it was told, in words that a shell takes as they are."""

import shlex
from collections.abc import Mapping


def command(scenario: str, options: Mapping[str, object]) -> str:
    """`wattline hil run` with these options; those that are None were not given. scenario: a name, or a file's path."""
    given = [f"{name}={value}" for name, value in options.items() if value is not None]
    return shlex.join(["wattline", "hil", "run", scenario, *given])
