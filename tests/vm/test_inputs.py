# Mains, contacts and supply become events, each change once. Runs on both interpreters.
from terminal import inputs, sparing

from protocol import record


class Board:
    SUPPLY_LOW_MV = 4500

    def __init__(self) -> None:
        self.uptime = 0
        self.felt: tuple[bool | None, list[bool], int | None] = (True, [False, False], 5000)

    def inputs(self):  # type: ignore[no-untyped-def]
        return self.felt

    def real_ms(self) -> int:
        return self.uptime

    def uptime_ms(self) -> int:
        return self.uptime


class World:
    def __init__(self) -> None:
        self.board = Board()
        self.events: list[tuple[int, list[int]]] = []
        self.inputs = inputs.Inputs(self.board, lambda code, _point, values: self.events.append((code, values)))

    def feel(self, mains: "int | None", contacts: "list[bool]", supply_mv: "int | None", looks: int = 10) -> None:
        self.board.felt = (None if mains is None else bool(mains), contacts, supply_mv)
        for _ in range(looks):
            self.board.uptime += inputs.POLL_MS
            self.inputs.look()


def test_each_change_that_lasts_is_told_once() -> None:
    # P-93
    world = World()
    world.feel(1, [False, False], 5000)
    assert world.events == []
    world.feel(0, [False, False], 5000, looks=100)
    world.feel(1, [False, True], 5000)
    world.feel(1, [True, True], 4000)
    world.feel(1, [True, False], 4600)
    world.feel(1, [True, False], 4800)
    world.feel(1, [True, False], 4400)
    assert world.events == [
        (record.MAINS_LOST, []),
        (record.MAINS_BACK, [10]),
        (record.INPUT, [2, 1]),
        (record.INPUT, [1, 1]),
        (record.LOW_VOLTAGE, [4000]),
        (record.INPUT, [2, 0]),
        (record.LOW_VOLTAGE, [4400]),
    ]


def test_what_bounces_is_not_told() -> None:
    world = World()
    for at in range(50):
        world.feel(at % 2, [at % 3 == 0], 5000, looks=2)
    assert world.events == []


def test_a_contact_that_chatters_is_told_some_times_an_hour_and_then_as_it_is() -> None:
    # P-93: no other input is told less for it
    world = World()
    for _ in range(5400000 // (20 * inputs.POLL_MS)):  # an hour and a half
        world.feel(1, [True, False], 5000)
        world.feel(1, [False, False], 5000)
    chatter = list(world.events)
    assert chatter == [(record.INPUT, [1, at]) for at in (1, 0)] * (2 * sparing.AN_HOUR)
    world.feel(0, [True, True], 5000)
    world.feel(1, [True, True], 5000)
    told = world.events[len(chatter) :]
    assert told == [(record.MAINS_LOST, []), (record.INPUT, [2, 1]), (record.MAINS_BACK, [1])]
    world.feel(1, [True, True], 5000, looks=3600000 // inputs.POLL_MS)
    assert world.events[-1] == (record.INPUT, [1, 1])
    world.feel(1, [False, True], 5000)
    assert world.events[-1] == (record.INPUT, [1, 0])


def test_mains_that_came_and_went_and_stay_away_are_told_late_and_for_how_long_they_were_lost() -> None:
    # P-93: their loss is told when the hour is over; the seconds are those of the loss
    world = World()
    for _ in range(sparing.AN_HOUR):
        world.feel(0, [], None)
        world.feel(1, [], None)
    told = len(world.events)
    world.feel(0, [], None, looks=7200000 // inputs.POLL_MS)
    world.feel(1, [], None)
    assert world.events[told:] == [(record.MAINS_LOST, []), (record.MAINS_BACK, [7200])]


def test_what_is_wrong_at_the_start_is_told_at_the_start() -> None:
    # P-93: a cover that was opened while there was no power
    world = World()
    world.feel(1, [True], 5000)
    assert world.events == [(record.INPUT, [1, 1])]


def test_a_board_that_feels_nothing_tells_nothing() -> None:
    world = World()
    world.feel(None, [], None, looks=100)
    assert world.events == []
