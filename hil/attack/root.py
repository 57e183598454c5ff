"""Whoever has the gateway's files: what was accepted before can't be changed unseen; keys let him do the rest."""

import json
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from gateway.config import CLIENT_ID
from gateway.intake.deliveries import DOWN, UP
from hil.attack.house import OWN, House
from hil.attack.move import Move, Observed
from hil.attack.network import TAKEN
from protocol import ack, frame

WHO = "whoever has the gateway's files"
EDIT = "UPDATE blocks SET frames = zeroblob(length(frames)) WHERE first = (SELECT min(first) FROM blocks)"
DELETE = (
    "DELETE FROM blocks WHERE first = (SELECT min(first) FROM blocks WHERE first > (SELECT min(first) FROM blocks))"
)
CUT_OFF = "DELETE FROM blocks WHERE first = (SELECT max(first) FROM blocks)"
DATE_BACK = "UPDATE blocks SET received_ms = received_ms - 3600000 WHERE first = (SELECT max(first) FROM blocks)"
LOOKED_S = 2.0  # the running gateway looks within a second at what is to be asked for
ANSWERED_S = 10.0  # by a terminal that was asked: a busy machine


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


def acknowledges_and_drops(house: House) -> Observed:
    """In the gateway's place, by its name and the terminal's key: a start is freed, and nobody has it. The true one,
    back again, sees by a later number what is missing; an operator has the terminal asked for it.
    """
    house.terminal.kill()
    house.gateway.kill()
    dropped = _frees_a_start(house)
    house.gateway.start()
    house.gateway.wait_until_ready()
    house.restart_terminal()
    seen = bool(dropped) and house.wait(lambda: dropped <= _missing(house))
    asked = _asks_for_gaps(house)
    time.sleep(LOOKED_S)

    def is_whole() -> bool:
        house.restart_terminal()  # who is heard is asked
        return house.wait(lambda: not _missing(house), ANSWERED_S)

    whole = house.wait(is_whole)
    held = seen and asked >= len(dropped) and whole
    return Observed(held, f"{len(dropped)} freed; seen as missing {seen}; asked for {asked}, then none missing {whole}")


def _frees_a_start(house: House) -> set[int]:
    """Acknowledge what the terminal says first of its next start: these numbers; none where it does not take that."""
    taken = house.terminal.process.text().count(TAKEN)
    with house.between(CLIENT_ID) as false:  # with a clean start: the broker keeps nothing for the true one
        false.subscribe(UP + OWN)
        house.terminal.start()
        house.wait(lambda: bool(false.heard))
        heard = frame.open_frame(false.heard[0][1], OWN, {house.own_key.generation: house.own_key})
        numbers = [one.seq for one in heard.records]
        durable, echo = [(one, one) for one in sorted(numbers)], (heard.boot_id, heard.sent_ms)
        sealed = ack.seal_ack(house.own_key, OWN, heard.epoch, durable, [], house.clock.now_ms(), echo)
        false.publish(DOWN + OWN, sealed)
        freed = house.wait(lambda: house.terminal.process.text().count(TAKEN) > taken)
    return set(numbers) if freed else set()


def _missing(house: House) -> set[int]:
    """Numbers of the terminal's newest log that the journal has not, below one that it has; none that it left out."""
    numbers = house.numbers()
    there = {seq for epoch, seq in {*numbers, *house.left_out()} if epoch == numbers[-1][0]}
    return set(range(min(there), max(there))) - there


def _asks_for_gaps(house: House) -> int:
    """How many numbers `gaps --ask` asks the terminal for; the days around today."""
    now = datetime.now(UTC)
    first, end = (f"{now + timedelta(days=more):%Y-%m-%d}" for more in (-1, 2))
    done = house.command("gaps", "--terminal", OWN, "--from", first, "--to", end, "--ask", "--json")
    (total,) = [line for line in done.text().splitlines() if '"kind": "total"' in line]
    return int(json.loads(total).get("asked", 0))


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
    Move(
        WHO,
        "acknowledges in the gateway's place, and drops",
        "P-80",
        "the gap is seen, and asked for again",
        acknowledges_and_drops,
    ),
]
