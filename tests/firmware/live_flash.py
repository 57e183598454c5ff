"""What a terminal that runs still has to tell, read from a copy of its flash."""

import json

from hil.powercut.machine import copy_image
from hil.process import BenchError
from hil.terminal import Terminal

SEGMENTS = "252"  # of a flash of 8 MiB


def freed(terminal: Terminal, seqs: set[int]) -> bool:
    """Whether none of these numbers is pending any more. A copy made in mid-write may not open: not yet, then."""
    copy = terminal.image.with_name("live.img")
    copy_image(terminal.image, copy)
    try:
        lines = terminal.run_vm("log_dump.py", str(copy), SEGMENTS).splitlines()[1:]
    except BenchError:
        return False
    return seqs.isdisjoint(json.loads(line)["seq"] for line in lines)
