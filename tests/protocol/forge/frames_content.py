"""protocol/vectors/frames_content.json: numbers, counts and forms that are out of bounds, in frames rightly sealed."""

from tests.protocol.forge import content as c
from tests.protocol.forge.book import Book
from tests.protocol.forge.frames_types import EVENT, SLOT, WINDOW, Path, replaced, sample
from tests.protocol.forge.tree import Item, array_head, at_path, item, put, raw

FLAGS = {
    "Bound": "a decoder that lets a number through that nothing can mean",
    "Overflow": "an addition, or a conversion to a smaller integer, that is not checked",
    "Count": "a decoder that trusts the number of items",
    "NoBase": "a difference from something that is absent",
    "NotShortest": "a decoder that accepts two encodings of one frame",
    "NotCanonical": "a decoder that accepts two forms of one content",
    "RecordType": "a decoder that skips, or misreads, records that are newer than it is",
    "EndsEarly": "a decoder that reads past the payload's end",
    "Trailing": "a decoder that does not look at what follows",
}

MEAN = 45_000  # of sample()'s reading: p_mean_w
BODY: Path = (*WINDOW, 2)
EVENT_BODY: Path = (*EVENT, 2)


def frames_content() -> Book:
    """The book."""
    book = Book("F", "Frames, rightly sealed, whose numbers, counts or forms are not allowed.", FLAGS)
    _bounds_of_header(book)
    _bounds_of_reading(book)
    _differences(book)
    _counts(book)
    _not_shortest(book)
    _not_canonical(book)
    _types_of_record(book)
    _ends(book)
    return book


def _one(book: Book, kind: str, comment: str, path: Path, value: object, reason: str) -> None:
    """`kind`: group, clause and flags."""
    tree, new = replaced(path, value)
    group, clause, flags = kind.split(maxsplit=2)
    book.refuse(group, clause, flags, comment, tree, reason, new)


def _bounds_of_header(book: Book) -> None:
    one_more: dict[Path, tuple[str, int]] = {
        (1,): ("epoch", 2**32),
        (2,): ("boot_id", 2**32),
        (3,): ("sent_ms", 2**53),
        (4, 0, 0): ("seq", 2**32),
        (4, 0, 1): ("type", 2**32),
        (*BODY, 0): ("start_s", 2**32),
        (*BODY, 1): ("length_s", 901),
        (*BODY, 2): ("window.boot", 2**32),
        (*BODY, 3): ("end_uptime_s", 2**32),
        (*BODY, 4): ("clock_source", 4),
        (*BODY, 5): ("clock_error_s", 65_536),
        (*BODY, 6): ("samples_due", 901),
        (*BODY, 7): ("u_ref", 1_000_001),
        (*BODY, 8, 2): ("none, because", 256),
        (*EVENT_BODY, 0): ("time_s", 2**32),
        (*EVENT_BODY, 1): ("event.boot", 2**32),
        (*EVENT_BODY, 2): ("uptime_s", 2**32),
        (*EVENT_BODY, 3): ("event.clock_source", 4),
        (*EVENT_BODY, 4): ("event.clock_error_s", 65_536),
        (*EVENT_BODY, 5): ("code", 256),
        (*EVENT_BODY, 6): ("point", 33),
        (*EVENT_BODY, 7, 0): ("values[0]", 2**53),
        (*EVENT_BODY, 7, 1): ("values[1]", -(2**53)),
    }
    for path, (name, value) in one_more.items():
        _one(book, "bound FR-44 Bound", f"{name} one past its bound: {value}", path, value, "range")
        far = 2**64 - 1 if value > 0 else -(2**64)
        _one(book, "bound FR-44 Bound Overflow", f"{name} far past its bound: {far}", path, far, "range")
    _one(book, "bound FR-44 Bound", "length_s 0", (*BODY, 1), 0, "range")
    _one(book, "bound FR-29 Bound", "none, because 0", (*BODY, 8, 2), 0, "range")
    _one(book, "bound FR-44 Bound", "point 0", (*EVENT_BODY, 6), 0, "range")


def _bounds_of_reading(book: Book) -> None:
    cases = (
        (0, "first_s after the window's end", 901),
        (1, "last_s before the first sample", 899),
        (2, "run_s longer than the window", 901),
        (3, "p_mean", 2**31),
        (3, "p_mean", -(2**31)),
        (6, "e_import", 2**53),
        (7, "e_export", 2**53),
        (8, "r_import", 2**53),
        (9, "r_export", 2**53),
        (13, "ia", 2**31),
        (13, "ia", -(2**31)),
        (17, "flags", 65_536),
        (18, "missed more than were due", 181),
        (19, "q_mean", 2**31),
        (19, "q_mean", -(2**31)),
    )
    for index, name, value in cases:
        _one(book, "reading FR-44 Bound", f"{name}: {value}", (*SLOT, index), value, "range")
        far = 2**64 - 1 if value > 0 else -(2**64)
        _one(book, "reading FR-44 Bound Overflow", f"{name.split()[0]}: {far}", (*SLOT, index), far, "range")


def _differences(book: Book) -> None:
    """The reading has p_mean 45000 W, u_ref 2203, ia 75000 mA."""
    power, volt, ia = 2**31 - 1, 1_000_000, 75_000
    cases = (
        (4, "minimum above the mean", -1),
        (4, "minimum below -2^31 + 1", MEAN + power + 1),
        (5, "maximum below the mean", -1),
        (5, "maximum above 2^31 - 1", power - MEAN + 1),
        (11, "ub below 0", -2204),
        (11, "ub above 100 kV", volt - 2203 + 1),
        (12, "uc below 0", -2204),
        (14, "ib above 2^31 - 1", power - ia + 1),
        (14, "ib below", -power - ia - 1),
        (15, "ic above 2^31 - 1", power - ia + 1),
        (16, "power factor above 1", -1),
        (16, "power factor below -1", 2001),
    )
    for index, name, value in cases:
        _one(book, "difference FR-44 Bound", f"{name}: {value}", (*SLOT, index), value, "range")
    for index in (4, 5, 10, 11, 12, 14, 15, 16):
        for value in (2**32, -(2**32), 2**63 - 1, 2**63, 2**64 - 1, -(2**63), -(2**64)):
            _one(book, "difference FR-44 Overflow", f"item {index}: {value}", (*SLOT, index), value, "range")
    for path, first, what in (((*SLOT, 3), 4, "p_mean"), ((*BODY, 7), 10, "u_ref"), ((*SLOT, 13), 14, "ia")):
        tree, _ = replaced(path, None)
        comment = f"{what} is null, what is measured from it is not"
        book.refuse("difference", "FR-23", "NoBase", comment, tree, "type", at_path(tree, *SLOT, first))
    tree, _ = replaced((*SLOT, 3), None)
    put(tree, None, *SLOT, 4)
    comment = "p_mean and minimum are null, maximum is not"
    book.refuse("difference", "FR-23", "NoBase", comment, tree, "type", at_path(tree, *SLOT, 5))


def _counts(book: Book) -> None:
    for path, name in (((), "payload"), ((4, 0), "record"), (BODY, "window"), (EVENT_BODY, "event")):
        for extra in (-1, 1):
            tree = sample()
            one = at_path(tree, *path)
            items = [*one.inside, item(0)] if extra == 1 else one.inside[:-1]
            one.own, one.inside = array_head(len(items)), items
            book.refuse("count", "FR-04", "Count", f"{name} of {len(items)} items", tree, "count", one)
    for count in (0, 1, 16, 21, 24, 2**32):
        items = [item(0)] * min(count, 24)
        head = array_head(count) if count < 2**32 else bytes.fromhex("9b0000000100000000")
        _one(book, "count FR-04 Count", f"a reading of {count} items", SLOT, Item(head, items), "count")
    for clause, path, count, what in (
        ("FR-43", (4,), 0, "no record"), ("FR-43", (4,), 65, "65 records"), ("FR-42", (*BODY, 8), 33, "33 points"),
        ("FR-44", (*EVENT_BODY, 7), 9, "9 integers"),
    ):  # fmt: skip
        fill = c.record_item(c.event(1, 1, [])) if path == (4,) else item(1)
        _one(book, f"count {clause} Count", what, path, Item(array_head(count), [fill] * count), "count")
    for path, name in (((4,), "records"), ((*BODY, 8), "slots"), ((*EVENT_BODY, 7), "values")):
        for text in ("9affffffff", "9bffffffffffffffff"):
            _one(book, "count FR-04 Count Overflow", f"{name}: a length bomb {text}", path, raw(text), "count")


def _not_shortest(book: Book) -> None:
    heads = ("1800", "1817", "190000", "1900ff", "1a00000000", "1a0000ffff", "1b0000000000000000", "1b00000000ffffffff")
    for text in heads:
        _one(book, "shortest FR-01 NotShortest", f"epoch as {text}", (1,), raw(text), "not_shortest")
    for text in ("3800", "3817", "390017", "3a00000017", "3b0000000000000017"):
        _one(
            book,
            "shortest FR-01 NotShortest",
            f"an event's integer as {text}",
            (*EVENT_BODY, 7, 1),
            raw(text),
            "not_shortest",
        )
    places: dict[str, Path] = {"payload": (), "records": (4,), "record": WINDOW, "slots": (*BODY, 8), "reading": SLOT}
    for name, path in places.items():
        for width in ("98%02x", "99%04x", "9a%08x"):
            tree = sample()
            one = at_path(tree, *path)
            one.own = bytes.fromhex(width % len(one.inside))
            comment = f"the array {name} begins with {one.own.hex()}"
            book.refuse("shortest", "FR-01", "NotShortest", comment, tree, "not_shortest", one)


def _not_canonical(book: Book) -> None:
    _one(book, "canonical FR-27 NotCanonical", "run_s 0 as a number", (*SLOT, 2), 0, "not_canonical")
    _one(book, "canonical FR-27 NotCanonical", "run_s = length_s as a number", (*SLOT, 2), 900, "not_canonical")
    for value, what in ((2200, "another phase's voltage"), (2204, "no voltage of the record")):
        tree, new = replaced((*BODY, 7), value)
        put(tree, 2203 - value, *SLOT, 10)
        book.refuse("canonical", "FR-28", "NotCanonical", f"u_ref is {what}", tree, "not_canonical", new)
    for slots, value, what in (
        ([1, None], 2203, "no reading at all"),
        ([c.reading()], 0, "a reading without voltages"),
    ):
        tree = c.frame_item(c.frame([c.window(1, slots)]))
        new = put(tree, value, *BODY, 7)
        book.refuse("canonical", "FR-28", "NotCanonical", f"u_ref, but {what}", tree, "not_canonical", new)
    for tail, at, what in (
        ([0], 17, "flags 0 written"), ([1, 0], 18, "missed 0 written"), ([0, 0], 18, "flags and missed 0 written"),
    ):  # fmt: skip
        tree = c.frame_item(c.frame([c.window(1, [c.reading()])]))
        slot = at_path(tree, *SLOT)
        slot.inside += [item(one) for one in tail]
        slot.own = array_head(len(slot.inside))
        book.refuse("canonical", "FR-30", "NotCanonical", what, tree, "not_canonical", slot.inside[at])


def _types_of_record(book: Book) -> None:
    for kind in (0, 3, 255, 2**32 - 1):
        tree, new = replaced((4, 0, 1), kind)
        book.refuse("record", "FR-21", "RecordType", f"record type {kind}", tree, "record_type", new)
    tree, new = replaced((4, 1, 1), 3)
    book.refuse("record", "FR-21", "RecordType", "the second record's type is 3", tree, "record_type", new)
    tree, _ = replaced((4, 0, 1), 2)
    book.refuse("record", "FR-04", "RecordType Count", "a window that says event", tree, "count", at_path(tree, *BODY))
    tree, _ = replaced((4, 1, 1), 1)
    book.refuse(
        "record", "FR-04", "RecordType Count", "an event that says window", tree, "count", at_path(tree, *EVENT_BODY)
    )


def _ends(book: Book) -> None:
    """The payload itself is cut, or goes on, and is sealed like that."""
    tree = sample()
    whole = tree.lay()
    reading_at = at_path(tree, *SLOT).at
    ends = {
        "after its head": 1,
        "after the version": 2,
        "inside the epoch": 4,
        "before the records": at_path(tree, 4).at,
        "before the first record": at_path(tree, 4, 0).at,
        "before the window": at_path(tree, *BODY).at,
        "inside start_s": at_path(tree, *BODY, 0).at + 2,
        "before u_ref": at_path(tree, *BODY, 7).at,
        "before the reading": reading_at,
        "inside the reading's head": reading_at,
        "before run_s": at_path(tree, *SLOT, 2).at,
        "inside p_mean": at_path(tree, *SLOT, 3).at + 1,
        "before the last item": at_path(tree, *SLOT, 19).at,
        "before the second slot": at_path(tree, *BODY, 8, 1).at,
        "before the second record": at_path(tree, 4, 1).at,
        "before the event's integers": at_path(tree, *EVENT_BODY, 7).at,
        "before its last byte": len(whole) - 1,
    }
    for where, end in ends.items():
        book.refuse("end", "FR-51", "EndsEarly", f"the payload ends {where}", raw(whole[:end].hex()), "ends_early")
    after = Item(b"\x00")
    tree = Item(whole, [after])
    book.refuse("end", "FR-03", "Trailing", "a byte after the payload", tree, "trailing", after)
    after = Item(whole)
    book.refuse("end", "FR-03", "Trailing", "the payload twice", Item(whole, [after]), "trailing", after)
