"""protocol/vectors/frames_valid.json: frames that must be taken, and what they say."""

from tests.protocol.forge import content as c
from tests.protocol.forge.book import Book
from tests.protocol.forge.tree import Sealing, protected

FLAGS = {
    "Typical": "a decoder that does not read what terminals send every day",
    "Smallest": "a decoder that asks for more than must be there",
    "Largest": "a buffer, a counter or an integer that is too small",
    "Absent": "a decoder that makes a zero of what the meter does not offer",
    "NoneBecause": "a decoder that loses why a reading is not there",
    "Tail": "a decoder that misreads a reading whose last items are left out",
    "HeadWidth": "a decoder that is off by one where the width of a length changes",
    "VoltageReference": "a decoder that takes the reference from the wrong voltage",
    "Time": "a decoder that makes up a time that the terminal did not have",
    "UnknownCode": "a decoder that throws away codes that are newer than it is",
    "KeyGeneration": "a decoder that ignores which key the frame names",
    "TerminalName": "a decoder that binds another name than the terminal's",
}

HIGH = c.reading(
    first_s=900, run_s=899, p_mean_w=c.POWER_MAX, p_min_w=-c.POWER_MAX, p_max_w=c.POWER_MAX, e_import_wh=c.UINT53,
    e_export_wh=c.UINT53, r_import_varh=c.UINT53, r_export_varh=c.UINT53, ua_dv=1_000_000, ub_dv=0, uc_dv=1_000_000,
    ia_ma=c.POWER_MAX, ib_ma=-c.POWER_MAX, ic_ma=-c.POWER_MAX, pf_milli=-1000, flags=65_535, missed=900,
    q_mean_var=c.POWER_MAX,
)  # fmt: skip
LOW = c.reading(
    last_s=900, run_s=1, p_mean_w=-c.POWER_MAX, p_min_w=-c.POWER_MAX, p_max_w=c.POWER_MAX, e_import_wh=0,
    ua_dv=0, ub_dv=1_000_000, ia_ma=-c.POWER_MAX, ib_ma=c.POWER_MAX, pf_milli=1000, q_mean_var=-c.POWER_MAX,
)  # fmt: skip


def frames_valid() -> Book:
    """The book."""
    book = Book(
        "F", "Frames that are taken. `content`: what they say; what is not named in a reading is absent.", FLAGS
    )
    _typical(book)
    _edges_of_numbers(book)
    _tails(book)
    _edges_of_sizes(book)
    _keys_and_names(book)
    return book


def _add(book: Book, clause: str, flag: str, comment: str, content: c.Content) -> None:
    book.valid(clause, flag, comment, Sealing().seal(c.frame_item(content)).lay(), content)


def _typical(book: Book) -> None:
    nine = [c.three_phase(k) for k in range(9)]
    _add(book, "FR-10", "Smallest", "one event without integers", c.frame([c.event(0, 1, [])]))
    _add(book, "FR-45", "Typical", "one window of 9 three-phase points", c.frame([c.window(20_000, nine)]))
    some = [c.window(7, [c.three_phase(4), 1]), c.event(8, 3, [1], point=2), c.window(9, [c.three_phase(5), 1])]
    _add(book, "FR-22", "Typical", "two windows, between them an event", c.frame(some))
    _add(book, "FR-42", "Smallest", "a window without points", c.frame([c.window(1, [])]))
    reasons = [1, 2, 3, 4, 5, 255]
    _add(
        book,
        "FR-29",
        "NoneBecause UnknownCode",
        "none, because: each reason, and one newer",
        c.frame([c.window(1, reasons)]),
    )
    slots = [None, 1, c.reading(e_import_wh=5)]
    _add(book, "FR-29", "NoneBecause", "no such point, none because, a reading", c.frame([c.window(1, slots)]))
    _add(book, "FR-23", "Absent", "a meter that offers nothing", c.frame([c.window(1, [c.reading()])]))
    zeros = c.reading(
        run_s=0, p_mean_w=0, p_min_w=0, p_max_w=0, e_import_wh=0, e_export_wh=0, r_import_varh=0, r_export_varh=0,
        ua_dv=0, ub_dv=0, uc_dv=0, ia_ma=0, ib_ma=0, ic_ma=0, pf_milli=0, q_mean_var=0,
    )  # fmt: skip
    _add(book, "FR-23", "Absent", "zero everywhere, which is not absent", c.frame([c.window(1, [zeros])]))
    mean = c.reading(p_mean_w=500, ia_ma=2_000, uc_dv=2_300)
    _add(book, "FR-23", "Absent", "a mean without minimum and maximum, one phase", c.frame([c.window(1, [mean])]))
    unset = {"clock_source": 0, "clock_error_s": 65_535}
    _add(book, "FR-26", "Time", "a window without a time", c.frame([c.window(1, [1], start_s=None, **unset)]))
    _add(book, "FR-26", "Time", "an event without a time", c.frame([c.event(2, 2, [0], time_s=None, **unset)]))
    cut = c.window(1, [c.reading(first_s=1, last_s=2, run_s=17)], length_s=17)
    _add(book, "FR-24", "Time", "a window of 17 s, cut short by the first clock set", c.frame([cut]))
    shortest = c.window(1, [c.reading(last_s=1, run_s=1), c.reading(first_s=1, run_s=0)], length_s=1)
    _add(book, "FR-27", "Time Smallest", "a window of 1 s", c.frame([shortest]))
    learnt = c.event(3, 36, [202_603_010_012, 80_000, 1000], time_s=None, point=1, **unset)
    _add(book, "FR-31", "Typical", "a meter that is learnt before the time is known", c.frame([learnt]))
    _add(book, "FR-31", "UnknownCode", "an event code that is newer", c.frame([c.event(1, 255, [1, 2, 3])]))


def _edges_of_numbers(book: Book) -> None:
    _add(book, "FR-44", "Largest", "a reading at its upper bounds", c.frame([c.window(1, [HIGH], samples_due=900)]))
    _add(book, "FR-44", "Largest", "a reading at its lower bounds", c.frame([c.window(1, [LOW])]))
    top = {"boot": c.UINT32, "clock_error_s": 65_535}
    high = c.window(c.UINT32, [], start_s=c.UINT32, end_uptime_s=c.UINT32, samples_due=900, **top)
    content = c.frame([high], epoch=c.UINT32, boot_id=c.UINT32, sent_ms=c.UINT53)
    _add(book, "FR-44", "Largest", "a frame and a window at their upper bounds", content)
    values = [c.UINT53, -c.UINT53, 0, -1, 23, 24, -24, -25]
    full = c.event(c.UINT32, 255, values, time_s=c.UINT32, uptime_s=c.UINT32, point=32, **top)
    _add(book, "FR-44", "Largest", "an event at its upper bounds", c.frame([full]))
    low = c.frame([c.event(0, 0, [0], time_s=0, boot=0, uptime_s=0, point=1, clock_source=0, clock_error_s=0)])
    _add(book, "FR-44", "Smallest", "an event at its lower bounds", {**low, "epoch": 0, "boot_id": 0, "sent_ms": 0})
    for value in (255, 256, 65_535, 65_536, c.UINT32, c.UINT32 + 1):
        pair = c.event(1, 6, [value, -1 - value])
        _add(book, "FR-01", "HeadWidth", f"integers at a change of width: {value} and {-1 - value}", c.frame([pair]))
    for name, slots in (
        ("the second phase of the third point", [None, c.reading(ia_ma=5), c.reading(ub_dv=2_310, uc_dv=2_290)]),
        ("the last point, below it none", [1, c.reading(), c.reading(uc_dv=0)]),
        ("the first of several points", [c.reading(ua_dv=2_000), c.reading(ua_dv=100_000)]),
    ):
        _add(book, "FR-28", "VoltageReference", f"the first voltage: {name}", c.frame([c.window(1, slots)]))


def _tails(book: Book) -> None:
    tails = [{"flags": 1}, {"missed": 180}, {"flags": 3, "missed": 1}]
    tails += [{"q_mean_var": q} for q in (0, -1, 1)]
    tails += [{"flags": 2, "q_mean_var": 0}, {"missed": 7, "q_mean_var": 5}, {"flags": 1, "missed": 2, "q_mean_var": 3}]
    for tail in tails:
        _add(book, "FR-30", "Tail", f"a reading with {tail}", c.frame([c.window(1, [c.reading(**tail)])]))


def _edges_of_sizes(book: Book) -> None:
    many = c.frame([c.event(n, 1, []) for n in range(64)])
    _add(book, "FR-43", "Largest", "64 records", many)
    _add(
        book,
        "FR-42",
        "Largest",
        "32 points, all at their upper bounds",
        c.frame([c.window(1, [HIGH] * 32, samples_due=900)]),
    )
    for size in (255, 256, 4049):  # 4049: with the envelope's 47 bytes exactly 4096
        content = _padded(size)
        _add(book, "FR-40", "HeadWidth", f"a payload of {size} bytes", content)


def _padded(size: int) -> c.Content:
    """A frame whose payload has exactly this many bytes: events, the last ones with integers of fitting width."""
    records: list[c.Content] = []
    wide = [c.UINT53] * 8
    while len(c.frame_item(c.frame([*records, c.event(24, 1, wide)])).lay()) < size:
        records.append(c.event(24, 1, wide))
    values: list[int] = []
    for step in (c.UINT53, 65_536, 256, 24, 0):
        while len(values) < 8 and len(c.frame_item(c.frame([*records, c.event(24, 1, [*values, step])])).lay()) <= size:
            values.append(step)
    return c.frame([*records, c.event(24, 1, values)])


def _keys_and_names(book: Book) -> None:
    content = c.frame([c.event(3, 1, [4])])
    old, new = bytes([7] * 32), bytes([8] * 32)
    keys = {"1": old.hex(), "2": new.hex()}
    for generation, secret in ((1, old), (2, new)):
        data = Sealing(secret=secret, header=protected(generation)).seal(c.frame_item(content)).lay()
        said = {**content, "generation": generation}
        book.valid("FR-12", "KeyGeneration", f"two keys, of which {generation} is used", data, said, keys=keys)
    data = Sealing(secret=new, header=protected(255)).seal(c.frame_item(content)).lay()
    said = {**content, "generation": 255}
    book.valid("FR-12", "KeyGeneration Largest", "the last generation", data, said, keys={"255": new.hex()})
    for name in ("A", "Plant-7_line-2", "x" * 23, "x" * 24, "Z" * 32):
        data = Sealing(terminal=name).seal(c.frame_item(content)).lay()
        book.valid("FR-13", "TerminalName", f"a name of {len(name)} characters", data, content, terminal=name)
