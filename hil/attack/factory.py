"""A factory with a motive: it has the site, the power and the cabinet."""

from hil.attack.house import OWN, House
from hil.attack.move import Move, Observed
from hil.oracle.sources import read_rows, writes_of

WHO = "a factory with a motive"
CUTS = 5


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
    """The link is away while the terminal starts; what it says then comes when it is back."""
    house.link.set_up(up=False)
    house.restart_terminal()
    before = house.counter("frames_accepted")
    quiet = not house.wait(lambda: house.counter("frames_accepted") > before, 5.0)
    house.link.set_up(up=True)
    house.link.cut()
    back = house.wait(lambda: house.counter("frames_accepted") > before)
    return Observed(quiet and back, f"nothing came while it was away {quiet}; afterwards it came {back}")


def bus_is_read_alone(house: House) -> Observed:
    """Whatever was sent down to the terminal so far: meters were read, and nothing else was asked of them."""
    house.wait(lambda: bool(read_rows(house.meters.log)))
    rows = read_rows(house.meters.log)
    written = writes_of(rows)
    return Observed(bool(rows) and not written, f"{len(rows)} requests on the bus of {OWN}, {len(written)} that write")


MOVES = [
    Move(WHO, "cuts the power again and again", "R-01, S-08", "each start is told, no number twice", cuts_power),
    Move(WHO, "cuts the link", "R-02", "it comes when the link is back", cuts_link),
    Move(WHO, "writes to meters through the terminal", "S-18", "its bus carries plain reads alone", bus_is_read_alone),
]
