"""A province's terminals in a gateway's folder: what the list of all terminals has to carry."""

import time
from pathlib import Path

from gateway.watch.heard import Heard
from gateway.watch.store import Known, Store

TERMINALS = 7_056
_ENTRY = """[[terminal]]
id = "{id}"
keys = [{{generation = 1, file = "T0001.hex"}}]
points = [{{number = 1, name = "furnace", kind = "production"}}]
"""


def fill(folder: Path) -> None:
    """Put them into terminals.toml, and what each told last into the alarms' store. Every hundredth is silent."""
    names = [f"P{number:05}" for number in range(TERMINALS)]
    with (folder / "terminals.toml").open("a") as file:
        file.writelines(_ENTRY.format(id=name) for name in names)
    now_s = int(time.time())
    told = (now_s - 900, 1, 0, now_s, 1_004_002, now_s)
    heard = {
        name: Heard(now_s - (86_400 if number % 100 == 0 else number % 900), *told) for number, name in enumerate(names)
    }
    store = Store(folder / "data")
    store.take([], Known(store.progress(), heard), now_s * 1000)
    store.close()
