"""protocol/vectors/acks.json: acks, good and bad. The envelope is the frames'; here is what is different."""

from tests.protocol.forge import content as c
from tests.protocol.forge.book import Book
from tests.protocol.forge.tree import DOWN, UP, Item, Sealing, array_head, at_path, item, put, raw

FLAGS = {
    "Typical": "a decoder that does not read what gateways send every day",
    "Smallest": "a decoder that asks for more than must be there",
    "Largest": "a buffer, a counter or an integer that is too small",
    "Transplant": "a terminal that takes an ack meant for another, or its own frame, as an ack",
    "BitFlip": "a terminal that frees records because anybody said so",
    "WrongType": "a decoder that takes the next item without looking at its type",
    "Bound": "a decoder that lets a number through that nothing can mean",
    "Order": "a decoder that accepts two forms of one set of numbers",
    "Count": "a decoder that trusts the number of items",
    "Cut": "a decoder that reads past the end",
    "Trailing": "a decoder that does not look at what follows",
    "Version": "a decoder that misreads, or calls damaged, what is only newer",
}

CONTENT = c.ack([[1, 5], [9, 10]], [[7, 7, 2]])
NAMES = {
    (): "payload", (1,): "epoch", (2,): "durable", (2, 0): "durable[0]", (2, 0, 0): "first", (2, 0, 1): "last",
    (3,): "refused", (3, 0): "refused[0]", (3, 0, 2): "reason", (4,): "time_ms", (5,): "echo", (5, 0): "echo.boot",
    (5, 1): "echo.sent_ms",
}  # fmt: skip


def acks() -> Book:
    """The book."""
    book = Book("A", "Acks: what the gateway says to a terminal, taken or refused.", FLAGS)
    _valid(book)
    _sealing(book)
    _wrong_types(book)
    _bounds(book)
    _ranges(book)
    _shape(book)
    return book


def _valid(book: Book) -> None:
    last = c.UINT32
    for flag, comment, content in (
        ("Typical", "two ranges durable, one refused", CONTENT),
        ("Smallest", "nothing but the time", c.ack([], [])),
        ("Typical", "without an echo", c.ack([[4, 4]], [], echo=None)),
        ("Typical", "all reasons", c.ack([], [[1, 1, 1], [2, 2, 2], [3, 3, 3], [4, 4, 255]])),
        ("Typical", "ranges that touch", c.ack([[1, 2], [3, 4]], [])),
        ("Smallest", "seq 0", c.ack([[0, 0]], [], epoch=0, time_ms=0, echo=[0, 0])),
        (
            "Largest",
            "every seq",
            c.ack([[0, last]], [[0, last, 255]], epoch=last, time_ms=c.UINT53, echo=[last, c.UINT53]),
        ),
        (
            "Largest",
            "64 ranges of each kind",
            c.ack([[n * 2, n * 2] for n in range(64)], [[n, n, 1] for n in range(64)]),
        ),
    ):
        data = Sealing(direction=DOWN).seal(c.ack_item(content)).lay()
        book.valid("FR-33", flag, comment, data, content)


def _refuse(book: Book, kind: str, comment: str, tree: Item, reason: str, at: Item | None) -> None:
    """`kind`: group, clause and flag."""
    group, clause, flag = kind.split()
    book.refuse(group, clause, flag, comment, tree, reason, at, direction=DOWN)


def _changed(path: tuple[int, ...], value: object) -> tuple[Item, Item]:
    tree = c.ack_item(CONTENT)
    if not path:
        new = item(value)
        return new, new
    return tree, put(tree, value, *path)


def _sealing(book: Book) -> None:
    tree = c.ack_item(CONTENT)
    good = Sealing(direction=DOWN).seal(tree).lay()
    at = len(good) - 32
    for flag, comment, sealing in (
        ("Transplant", "of another terminal", Sealing(direction=DOWN, terminal="T0002")),
        ("Transplant", "sealed as a frame that goes up", Sealing(direction=UP)),
        ("Transplant", "with another key", Sealing(direction=DOWN, secret=bytes(32))),
    ):
        book.invalid("mac", "FR-35", flag, comment, sealing.seal(c.ack_item(CONTENT)).lay(), "mac", at)
    up = c.frame([c.event(3, 1, [4])])
    data = Sealing().seal(c.frame_item(up)).lay()
    book.invalid("mac", "FR-35", "Transplant", "a frame of the terminal itself", data, "mac", len(data) - 32)
    frame = Sealing(direction=DOWN).seal(tree)
    for place, what in (((1,), "epoch"), ((2, 0, 1), "last"), ((4,), "time_ms")):
        flipped = bytearray(frame.lay())
        flipped[at_path(tree, *place).at] ^= 1
        book.invalid("mac", "FR-35", "BitFlip", f"a bit of {what}", bytes(flipped), "mac", at)
    book.invalid("mac", "FR-35", "BitFlip", "a tag of zeros", good[:at] + bytes(32), "mac", at)
    for cut in (0, 1, 9, len(good) // 2, len(good) - 1):
        book.invalid("cut", "FR-51", "Cut", f"cut after {cut} bytes", good[:cut], "truncated", cut)
    book.invalid("cut", "FR-03", "Trailing", "a byte after the ack", good + b"\x00", "trailing", len(good))


def _wrong_types(book: Book) -> None:
    for path, name in NAMES.items():
        for value, reason in (("x", "type"), (1.5, "float"), (-1, "type"), (None, "type")):
            if value is None and name == "echo":
                continue
            tree, new = _changed(path, value)
            _refuse(book, "type FR-04 WrongType", f"{value!r} as {name}", tree, reason, new)


def _bounds(book: Book) -> None:
    past = {(1,): 2**32, (2, 1, 1): 2**32, (2, 1, 0): 2**32, (3, 0, 2): 256, (4,): 2**53, (5, 0): 2**32, (5, 1): 2**53}
    for path, value in past.items():
        for one in (value, 2**64 - 1):
            tree, new = _changed(path, one)
            name = NAMES.get(path, "a range's end")
            _refuse(book, "bound FR-44 Bound", f"{name}: {one}", tree, "range", new)
    tree, new = _changed((3, 0, 2), 0)
    _refuse(book, "bound FR-33 Bound", "refused, because 0", tree, "range", new)


def _ranges(book: Book) -> None:
    for content, path, reason, comment in (
        (c.ack([[5, 4]], []), (2, 0, 1), "range", "a range that ends before it begins"),
        (c.ack([[1, 5], [5, 6]], []), (2, 1, 0), "not_canonical", "ranges that overlap"),
        (c.ack([[9, 9], [1, 5]], []), (2, 1, 0), "not_canonical", "ranges that descend"),
        (c.ack([[3, 3], [3, 3]], []), (2, 1, 0), "not_canonical", "a range twice"),
        (c.ack([[0, 0], [0, 0]], []), (2, 1, 0), "not_canonical", "a range twice, at 0"),
        (c.ack([], [[1, 5, 1], [2, 6, 1]]), (3, 1, 0), "not_canonical", "refused ranges that overlap"),
        (c.ack([], [[6, 5, 1]]), (3, 0, 1), "range", "a refused range that ends before it begins"),
    ):
        tree = c.ack_item(content)
        _refuse(book, "range FR-34 Order", comment, tree, reason, at_path(tree, *path))


def _shape(book: Book) -> None:
    for path, name, good in (((), "payload", 6), ((2, 0), "a range", 2), ((3, 0), "a refusal", 3), ((5,), "echo", 2)):
        for count in (good - 1, good + 1):
            tree = c.ack_item(CONTENT)
            one = at_path(tree, *path)
            items = [*one.inside, item(0)][:count]
            one.own, one.inside = array_head(count), items
            _refuse(book, "shape FR-04 Count", f"{name} of {count} items", tree, "count", one)
    for index, size in ((2, 2), (3, 3)):
        tree, new = _changed((index,), [[n, n, 1][:size] for n in range(65)])
        _refuse(book, "shape FR-34 Count", "65 ranges", tree, "count", new)
        tree, new = _changed((index,), raw("9bffffffffffffffff"))
        _refuse(book, "shape FR-34 Count", "a length bomb", tree, "count", new)
    whole = c.ack_item(CONTENT).lay()
    for end in (0, 1, 2, 5, len(whole) // 2, len(whole) - 1):
        _refuse(
            book,
            "shape FR-51 Cut",
            f"the payload ends after {end} bytes",
            raw(whole[:end].hex()),
            "ends_early",
            None,
        )
    after = Item(b"\x00")
    _refuse(book, "shape FR-03 Trailing", "a byte after the payload", Item(whole, [after]), "trailing", after)
    for version in (2, 0, 2**32, 2**64 - 1):
        tree, new = _changed((0,), version)
        _refuse(book, "shape FR-15 Version", f"version {version}", tree, "version", new)
