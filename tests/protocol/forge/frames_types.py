"""protocol/vectors/frames_types.json: another type at each position of a payload."""

from collections.abc import Iterator

from tests.protocol.forge import content as c
from tests.protocol.forge.book import Book
from tests.protocol.forge.tree import Item, put, raw

FLAGS = {
    "WrongType": "a decoder that takes the next item without looking at its type",
    "Float": "a decoder that rounds: floating point is never on this wire",
    "Null": "a decoder that takes null where a value must be",
    "Negative": "a decoder that reads a negative integer as a large one, or as its absolute value",
    "NotWellFormed": "a CBOR decoder that accepts what RFC 8949, Appendix F says is not well-formed",
    "Indefinite": "a decoder that accepts indefinite lengths",
}

Path = tuple[int, ...]

WINDOW: Path = (4, 0)
EVENT: Path = (4, 1)
SLOT: Path = (4, 0, 2, 8, 0)
NAMES = {
    (): "payload", (1,): "epoch", (2,): "boot_id", (3,): "sent_ms", (4,): "records", (4, 0): "record",
    (4, 0, 0): "seq", (4, 0, 1): "type", (4, 0, 2): "window", (4, 1, 2): "event", (4, 0, 2, 8): "slots", SLOT: "slot",
    (4, 1, 2, 7): "event.values", (4, 1, 2, 7, 0): "event.values[0]",
}  # fmt: skip
WINDOW_NAMES = (
    "start_s", "length_s", "boot", "end_uptime_s", "clock_source", "clock_error_s", "samples_due", "u_ref",
)  # fmt: skip
EVENT_NAMES = ("time_s", "boot", "uptime_s", "clock_source", "clock_error_s", "code", "point")
READING_NAMES = (
    "first_s", "last_s", "run_s", "p_mean", "p_mean - p_min", "p_max - p_mean", "e_import", "e_export", "r_import",
    "r_export", "ua", "ub", "uc", "ia", "ib - ia", "ic - ia", "1000 - pf", "flags", "missed", "q_mean",
)  # fmt: skip
NULLABLE = {"start_s", "u_ref", "time_s", "point", "slot"} | set(READING_NAMES[3:17])
SIGNED = set(READING_NAMES[3:6]) | set(READING_NAMES[10:17]) | {"q_mean", "event.values[0]"}


def sample() -> Item:
    """A payload with everything in it: a window of one reading (20 items) and two other slots, an event."""
    full = {**c.three_phase(2), "flags": 1, "missed": 2, "q_mean_var": 77}
    return c.frame_item(c.frame([c.window(70, [full, None, 1]), c.event(71, 6, [5, -6], point=1)]))


def positions() -> Iterator[tuple[str, Path]]:
    """Every position of `sample` by name."""
    yield from ((name, path) for path, name in NAMES.items())
    yield from ((f"{name}", (*WINDOW, 2, i)) for i, name in enumerate(WINDOW_NAMES) if name != "boot")
    yield ("window.boot", (*WINDOW, 2, 2))
    yield from ((f"{name}", (*EVENT, 2, i)) for i, name in enumerate(EVENT_NAMES) if i not in (1, 3, 4))
    yield from ((f"event.{EVENT_NAMES[i]}", (*EVENT, 2, i)) for i in (1, 3, 4))
    yield from ((name, (*SLOT, i)) for i, name in enumerate(READING_NAMES))


def replaced(path: Path, value: object) -> tuple[Item, Item]:
    """`sample` with another item at a path; and that item."""
    tree = sample()
    if not path:
        new = put(Item(b"", [tree]), value, 0)
        return new, new
    return tree, put(tree, value, *path)


def frames_types() -> Book:
    """The book."""
    book = Book("F", "Frames, rightly sealed, with an item of another type at each position of the payload.", FLAGS)
    for name, path in positions():
        _wrong_at(book, name, path)
    _every_type(book)
    _not_well_formed(book)
    return book


def _wrong_at(book: Book, name: str, path: Path) -> None:
    cases = [("WrongType", "abc", "type"), ("Float", 1.5, "float")]
    if name not in NULLABLE:
        cases.append(("Null", None, "type"))
    if name not in SIGNED:
        cases.append(("Negative", -1, "type"))
    for flag, value, reason in cases:
        tree, new = replaced(path, value)
        clause = "FR-02" if flag == "Float" else "FR-04"
        book.refuse("type", clause, flag, f"{value!r} as {name}", tree, reason, new)


def _every_type(book: Book) -> None:
    """Every kind of item at three positions: an integer, an array, a reading's run_s."""
    kinds = {
        "f4": "false",
        "f5": "true",
        "f6": "null",
        "f7": "undefined",
        "e0": "simple(0)",
        "f3": "simple(19)",
        "f820": "simple(32)",
        "40": "an empty byte string",
        "4101": "a byte string",
        "60": "an empty text",
        "6101": "a text",
        "80": "an empty array",
        "8101": "an array",
        "a0": "an empty map",
        "a10102": "a map",
        "c001": "tag 0",
        "c24101": "a bignum",
        "f97e00": "half NaN",
        "f93c00": "half 1.0",
        "fa3f800000": "single 1.0",
        "fb3ff0000000000000": "double 1.0",
        "01": "1",
    }
    for name, path in (("epoch", (1,)), ("slots", (4, 0, 2, 8)), ("run_s", (*SLOT, 2))):
        for text, what in kinds.items():
            allowed = {"epoch": ("01",), "slots": ("80", "8101"), "run_s": ("01", "f4", "f5")}[name]
            if text in allowed:
                continue
            reason = "float" if text[:2] in ("f9", "fa", "fb") else "type"
            tree, new = replaced(path, raw(text))
            book.refuse(
                "kind", "FR-04", "Float" if reason == "float" else "WrongType", f"{what} as {name}", tree, reason, new
            )


def _not_well_formed(book: Book) -> None:
    """RFC 8949, Appendix F.1, at the epoch's place: the offset is the item's, or the payload's end where bytes lack."""
    short = ("18", "19", "1a", "1b", "1901", "1a0102", "1b01020304050607", "38", "39ff", "3affffff", "3b00")
    for text in short:
        tree = raw("8501" + text)
        book.refuse("appf", "FR-51", "NotWellFormed", f"a head that is cut: {text}", tree, "ends_early")
    for base in (0x00, 0x20, 0x40, 0x60, 0x80, 0xA0, 0xC0, 0xE0):
        for info in (28, 29, 30):
            tree, new = replaced((1,), raw(f"{base + info:02x}"))
            comment = f"reserved additional information: {new.own.hex()}"
            book.refuse("appf", "FR-01", "NotWellFormed", comment, tree, "reserved", new)
        tree, new = replaced((1,), raw(f"{base + 31:02x}"))
        comment = f"an indefinite length, or a break, or neither: {new.own.hex()}"
        book.refuse("appf", "FR-01", "NotWellFormed Indefinite", comment, tree, "indefinite", new)
    for text, what in (
        ("5fff", "an empty byte string"),
        ("5f4101ff", "a byte string"),
        ("5f6101ff", "a byte string with a text in it"),
        ("5f01ff", "a byte string with an integer in it"),
        ("7f6161ff", "a text"),
        ("7f4100ff", "a text with bytes in it"),
        ("9fff", "an empty array"),
        ("9f01ff", "an array"),
        ("9f01", "an array without its end"),
        ("9f8101", "an array in an array"),
        ("bfff", "an empty map"),
        ("bf0102ff", "a map"),
        ("bf01ff", "a map with an odd number of items"),
        ("9f9f9f9f9f9f9f9f", "eight arrays deep"),
    ):
        for name, path in (("epoch", (1,)), ("records", (4,))):
            tree, new = replaced(path, raw(text))
            comment = f"of indefinite length, as {name}: {what}"
            book.refuse("appf", "FR-01", "Indefinite NotWellFormed", comment, tree, "indefinite", new)
    for text, reason, what in (
        ("f800", "type", "simple values below 32 in two bytes"),
        ("f81f", "type", "simple values below 32 in two bytes"),
        ("f8", "type", "a simple value that is cut"),
        ("c0", "type", "a tag without content"),
        ("d9d9f7", "type", "the tag that says: CBOR"),
        ("5affffffff", "type", "4 GiB of bytes that are not there"),
        ("5bffffffffffffffff", "type", "2^64 bytes that are not there"),
        ("7bffffffffffffffff", "type", "a text likewise"),
        ("9bffffffffffffffff", "type", "an array likewise"),
        ("bbffffffffffffffff", "type", "a map likewise"),
        ("a101", "type", "a map without its value"),
    ):
        tree, new = replaced((1,), raw(text))
        book.refuse("appf", "FR-04", "NotWellFormed", f"{what}: {text}", tree, reason, new)
    deep, new = replaced((1,), raw("81" * 3000 + "00"))
    book.refuse("appf", "FR-41", "NotWellFormed", "3000 arrays deep", deep, "type", new)
