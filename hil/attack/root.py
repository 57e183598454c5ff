"""Whoever has the gateway's files: what was accepted before can't be changed unseen."""

import json
import sqlite3
from contextlib import closing
from functools import partial
from typing import Any

from hil.attack.house import House
from hil.attack.move import Move, Observed

WHO = "whoever has the gateway's files"
EDIT = "UPDATE blocks SET frames = zeroblob(length(frames)) WHERE first = (SELECT min(first) FROM blocks)"
DELETE = (
    "DELETE FROM blocks WHERE first = (SELECT min(first) FROM blocks WHERE first > (SELECT min(first) FROM blocks))"
)
CUT_OFF = "DELETE FROM blocks WHERE first = (SELECT max(first) FROM blocks)"
DATE_BACK = "UPDATE blocks SET received_ms = received_ms - 3600000 WHERE first = (SELECT max(first) FROM blocks)"


def spoils(house: House, statement: str, *, is_noted: bool = False) -> Observed:
    """Do this to a copy of the running journal; what `audit` says then. is_noted: the head was, before."""
    file = house.copied("spoilt", "journal.sqlite3") / "data" / "journal.sqlite3"
    before = _audit(house)
    with closing(sqlite3.connect(file)) as copy, copy:
        changed = copy.execute(statement).rowcount
    after = _audit(house, *(["--head", before["chain"]["head"]] if is_noted else []))
    faults = [f"record {one['record']}: {one['what']}" for one in after["chain"]["faults"]]
    said = faults[0] if faults else "nothing found"
    return Observed(bool(before["ok"]) and changed > 0 and not after["ok"], f"{changed} rows changed; {said[:90]}")


def _audit(house: House, *words: str) -> dict[str, Any]:
    done = house.command("audit", "--json", *words, config=house.folder / "spoilt" / "gateway.toml")
    found: dict[str, Any] = json.loads(done.text()[done.text().index("{") :])
    return found


MOVES = [
    Move(WHO, "edits a reading", "S-23", "found by the next audit", partial(spoils, statement=EDIT)),
    Move(WHO, "takes one out of the middle", "S-23", "found by the next audit", partial(spoils, statement=DELETE)),
    Move(
        WHO,
        "cuts off the end",
        "S-23",
        "found by a head that was noted",
        partial(spoils, statement=CUT_OFF, is_noted=True),
    ),
    Move(WHO, "dates one back", "S-23", "found by the next audit", partial(spoils, statement=DATE_BACK)),
]
