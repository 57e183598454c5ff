"""protocol/vectors/records.json: bare records, as they stand in the terminal's flash and in the journal."""

from tests.protocol.forge import content as c
from tests.protocol.forge.book import Book
from tests.protocol.forge.frames_valid import HIGH, LOW
from tests.protocol.forge.tree import at_path, put

FLAGS = {
    "Typical": "an encoder or decoder that does not do what terminals do every day",
    "Largest": "an integer that is too small",
    "Tail": "an encoder that writes, or a decoder that expects, items that say nothing",
    "Absent": "an encoder that makes a zero of what the meter does not offer",
    "Cut": "a reader of a log that takes a torn record for a whole one",
    "Trailing": "a reader of a log that does not look at what follows",
    "RecordType": "a reader that skips records that are newer than it is",
    "Bound": "a decoder that lets a number through that nothing can mean",
}


def records() -> Book:
    """The book."""
    book = Book("R", "Bare records. Valid ones must come out of the encoder as these bytes, too.", FLAGS, sealed=False)
    nine = [c.three_phase(k) for k in range(9)]
    tail = c.reading(flags=3, missed=4, q_mean_var=-5)
    for clause, flag, comment, content in (
        ("FR-20", "Typical", "9 three-phase points", c.window(20_000, nine)),
        ("FR-20", "Typical", "an event with a point and integers", c.event(20_001, 3, [1], point=4)),
        (
            "FR-20",
            "Typical",
            "an event without time",
            c.event(0, 1, [0], time_s=None, clock_source=0, clock_error_s=65_535),
        ),
        ("FR-20", "Typical", "a window without points", c.window(1, [])),
        ("FR-29", "Absent", "no such point, none because, a bare reading", c.window(2, [None, 5, c.reading()])),
        ("FR-30", "Tail", "all items of the tail", c.window(3, [tail])),
        ("FR-30", "Tail", "flags alone", c.window(3, [c.reading(flags=1)])),
        ("FR-30", "Tail", "missed alone", c.window(3, [c.reading(missed=9)])),
        ("FR-30", "Tail", "reactive power 0 alone", c.window(3, [c.reading(q_mean_var=0)])),
        ("FR-27", "Typical", "never on; on for 450 s", c.window(4, [c.reading(run_s=0), c.reading(run_s=450)])),
        (
            "FR-28",
            "Absent",
            "the first voltage is phase c of point 2",
            c.window(5, [c.reading(), c.reading(uc_dv=2_300)]),
        ),
        ("FR-44", "Largest", "the bounds", c.window(c.UINT32, [HIGH, LOW], samples_due=900)),
        ("FR-26", "Absent", "a short window without time", c.window(6, [1], start_s=None, length_s=17)),
    ):
        book.valid(clause, flag, comment, c.record_item(content).lay(), content)
    _invalid(book)
    return book


def _invalid(book: Book) -> None:
    tree = c.record_item(c.window(8, [c.three_phase(1)]))
    data = tree.lay()
    for end in (0, 1, 3, 10, len(data) // 2, len(data) - 1):
        book.invalid("cut", "FR-03", "Cut", f"cut after {end} bytes", data[:end], "ends_early", end)
    book.invalid("cut", "FR-03", "Trailing", "a byte after the record", data + b"\xff", "trailing", len(data))
    for path, value, reason, flag, clause in (
        ((1,), 3, "record_type", "RecordType", "FR-21"), ((0,), 2**32, "range", "Bound", "FR-44"),
        ((2, 1), 0, "range", "Bound", "FR-44"), ((2, 8, 0, 2), 901, "range", "Bound", "FR-44"),
    ):  # fmt: skip
        tree = c.record_item(c.window(8, [c.three_phase(1)]))
        new = put(tree, value, *path)
        data = tree.lay()
        book.invalid(
            "content", clause, flag, f"{value} at {at_path(tree, *path[:-1]).own.hex()}[{path[-1]}]", data, reason, new
        )
