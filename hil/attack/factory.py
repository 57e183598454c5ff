"""A factory with a motive: it has the site, the power and the cabinet."""

from gateway.intake.deliveries import UP
from hil.attack.house import OWN, STOLEN, House
from hil.attack.move import Move, Observed
from hil.oracle.sources import read_rows, writes_of
from hil.process import BenchError

WHO = "a factory with a motive"
CUTS = 5
STARTED = f"wattline {OWN} boot"  # as the terminal's log has it (terminal/app.py)
QUIET_S = 2.0
POLLS = 2  # the first may be one that the terminal asked before its power was cut
BROKEN_AT = ((True, 2_500), (False, 2_500), (True, 4_000))  # (up, bytes): in and right behind a TLS handshake


def cuts_power(house: House) -> Observed:
    """Again and again, in the middle of whatever it does: each start is told, no number is used twice."""
    conflicts, accepted = house.refused().get("conflict", 0), house.counter("frames_accepted")
    for _ in range(CUTS):
        before = house.counter("frames_accepted")
        house.restart_terminal()
        house.wait(lambda was=before: house.counter("frames_accepted") > was)  # type: ignore[misc]
    more = house.counter("frames_accepted") - accepted
    held = more >= CUTS and house.refused().get("conflict", 0) == conflicts
    return Observed(
        held, f"{CUTS} cuts: {more} frames came, {house.refused().get('conflict', 0) - conflicts} conflicts"
    )


def cuts_link(house: House) -> Observed:
    """The link is away while the terminal starts, twice, and breaks off when it is back: what was sealed then comes
    once, behind what came before; no number of the log is left out or doubled.
    """
    told = house.terminal.process.text().count(STARTED)
    house.link.set_up(up=False)
    before = _settled(house)
    for more in (1, 2):
        house.restart_terminal()
        house.wait(lambda more=more: house.terminal.process.text().count(STARTED) >= told + more)  # type: ignore[misc]
        asked = len(read_rows(house.meters.log))  # who asks its meter has its start on the flash
        house.wait(lambda was=asked: len(read_rows(house.meters.log)) >= was + POLLS)  # type: ignore[misc]
    quiet = not house.wait(lambda: house.numbers() != before, QUIET_S)
    house.link.set_up(up=True)
    house.link.cut()
    house.link.cut_after([*BROKEN_AT])
    # the newest comes first: what lacks between is on its way
    whole = house.wait(lambda: len(house.numbers()) >= len(before) + 2 and _is_whole(house))
    after = house.numbers()
    once = len(set(after)) == len(after) and after[: len(before)] == before
    held = bool(before) and quiet and once and whole
    seen = f"then {len(after) - len(before)} records, each once {once}, no gap {whole}"
    return Observed(held, f"none while it was away {quiet}; {seen}")


def _settled(house: House) -> list[tuple[int, int]]:
    """The numbers in the journal, once all that the broker was given before is there: it passes on in order."""
    windows = house.windows()
    with house.between("last") as last:
        last.publish(UP + STOLEN, house.sealed())
    if not house.wait(lambda: house.windows() > windows):
        raise BenchError("what was sent last did not come to the gateway")
    return house.numbers()


def _is_whole(house: House) -> bool:
    """Whether no number is left out in any epoch, but what the terminal told."""
    of_epochs: dict[int, set[int]] = {}
    for epoch, seq in {*house.numbers(), *house.left_out()}:
        of_epochs.setdefault(epoch, set()).add(seq)
    return all(len(one) == max(one) - min(one) + 1 for one in of_epochs.values())


def bus_is_read_alone(house: House) -> Observed:
    """Whatever was sent down to the terminal so far: meters were read, and nothing else was asked of them."""
    house.wait(lambda: bool(read_rows(house.meters.log)))
    rows = read_rows(house.meters.log)
    written = writes_of(rows)
    return Observed(bool(rows) and not written, f"{len(rows)} requests on the bus of {OWN}, {len(written)} that write")


MOVES = [
    Move(WHO, "cuts the power again and again", "R-01, S-08", "each start is told, no number twice", cuts_power),
    Move(WHO, "cuts the link", "R-02", "what was sealed comes once, with no gap", cuts_link),
    Move(WHO, "writes to meters through the terminal", "S-18", "its bus carries plain reads alone", bus_is_read_alone),
]
