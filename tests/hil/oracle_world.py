"""A small true world for the oracle's tests: meters, a terminal that lived, a journal and a platform that agree."""

from dataclasses import replace

from hil.oracle.evidence import Item, Journal, Kept, Life, Poll, Sink, Truth, Upload
from protocol.record import NONE_SILENT, Reading, Window, decode_record, encode_window

START_MS = 1_772_380_800_000  # a quarter of an hour, 2026
WINDOW_S = 900
INTERVAL_S = 60
EPOCH = 7
BOOT_MS = 60_000
ITEMS = [
    Item(1, "i33201", "Avg", "p_mean_w", 3, 2),
    Item(1, "i33202", "Cou", "e_import_wh", 3, 3),
    Item(2, "i33301", "Avg", "p_mean_w", 3, 2),
]


def truth(windows: int = 8, silent: frozenset[int] = frozenset()) -> Truth:
    """Two meters polled once a minute over so many windows; meter 2 is silent in the windows named, and asked."""
    polls = {}
    for point in (1, 2):
        polls[point] = [
            Poll(START_MS + s * 1000, {"p_w": 1000 * point + s % 7 * 10, "e_import_wh": 50_000 + s * point})
            for s in range(0, windows * WINDOW_S, INTERVAL_S)
            if not (point == 2 and s // WINDOW_S in silent)
        ]
    end_ms = START_MS + windows * WINDOW_S * 1000
    unanswered = [
        START_MS + (number * WINDOW_S + s) * 1000 for number in silent for s in range(0, WINDOW_S, INTERVAL_S)
    ]
    lives = [Life(START_MS - 120_000, end_ms + 120_000)]
    span = (START_MS, end_ms, INTERVAL_S * 1000)
    return Truth(*span, lives, polls, [], tolerance_ms=5_000, boot_ms=BOOT_MS, unanswered={2: sorted(unanswered)})


def with_clock_off(world: Truth, off_ms: int) -> Truth:
    """The same, with a terminal whose clock may really have been off by so much."""
    return replace(world, lives=[replace(life, clock_off_ms=off_ms) for life in world.lives])


def reading(world: Truth, point: int, number: int) -> Reading | int:
    """What the terminal should say of a point in window `number`."""
    begin = START_MS + number * WINDOW_S * 1000
    polls = [poll for poll in world.polls[point] if begin <= poll.t_ms < begin + WINDOW_S * 1000]
    if not polls:
        return NONE_SILENT
    powers = [poll.values["p_w"] for poll in polls]
    mean = round(sum(powers) / len(powers))
    last = polls[-1]
    absent = (None,) * 3
    return Reading(
        (polls[0].t_ms - begin) // 1000, (begin + WINDOW_S * 1000 - last.t_ms) // 1000, WINDOW_S,
        mean, min(powers), max(powers), last.values["e_import_wh"], *absent, *absent, *absent, None, 0, 0, None,
    )  # fmt: skip


def window(world: Truth, number: int) -> Window:
    """The true window `number`."""
    start_s = START_MS // 1000 + number * WINDOW_S
    uptime_s = start_s + WINDOW_S - world.lives[0].from_ms // 1000
    return Window(start_s, WINDOW_S, 1, uptime_s, 1, 1, 15, [reading(world, 1, number), reading(world, 2, number)])


def kept(one: Window, seq: int) -> Kept:
    """The window as record `seq` of the journal."""
    raw = encode_window(seq, one)
    return Kept(EPOCH, seq, decode_record(raw).body, raw)


def body(one: Kept) -> Window:
    """The window that a record is."""
    assert isinstance(one.body, Window)
    return one.body


def journal(records: list[Kept]) -> Journal:
    """A journal whose record table agrees with its frames."""
    return Journal(records, [(one.epoch, one.seq, one.raw) for one in records])


def true_records(world: Truth, windows: int = 8) -> list[Kept]:
    """The journal's records as they should be."""
    return [kept(window(world, number), number) for number in range(windows)]


def sink(records: list[Kept]) -> Sink:
    """A platform that got each window once."""
    uploads = []
    for one in records:
        values: dict[str, str] = {}
        for item in ITEMS:
            slot = body(one).readings[item.point - 1]
            values[f"{item.code}-Flag"] = "N" if isinstance(slot, Reading) else "B"
            if isinstance(slot, Reading):
                value = getattr(slot, item.field) / 10**item.exponent
                values[f"{item.code}-{item.attribute}"] = f"{value:.{item.decimals}f}"
        uploads.append(Upload(f"qn{one.seq}", body(one).start_s * 1000, values))
    return Sink(uploads, ITEMS)


def altered(one: Kept, point: int, **changes: int) -> Kept:
    """The record with a reading that says something else."""
    readings = list(body(one).readings)
    readings[point - 1] = readings[point - 1]._replace(**changes)
    return kept(body(one)._replace(readings=readings), one.seq)
