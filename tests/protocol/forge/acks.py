"""protocol/vectors/acks.json: acks, good and bad. The envelope is the frames'; here is what is different."""

from tests.protocol.forge import content as c
from tests.protocol.forge import down
from tests.protocol.forge.book import Book
from tests.protocol.forge.tree import Sealing, at_path, raw

FLAGS = {
    **down.FLAGS,
    "Transplant": "a terminal that takes an ack meant for another, or its own frame, as an ack",
    "BitFlip": "a terminal that frees records because anybody said so",
    "Order": "a decoder that accepts two forms of one set of numbers",
    "Version": "a decoder that misreads, or calls damaged, what is newer as a whole",
}

CONTENT = c.ack([[1, 5], [9, 10]], [[7, 7, 2]])
NAMES = {
    (): "payload", (2,): "epoch", (3,): "durable", (3, 0): "durable[0]", (3, 0, 0): "first",
    (3, 0, 1): "last", (4,): "refused", (4, 0): "refused[0]", (4, 0, 2): "reason", (5,): "time_ms", (6,): "echo",
    (6, 0): "echo.boot_id", (6, 1): "echo.sent_ms", (1,): "kind",
}  # fmt: skip
PAST = {(2,): 2**32, (3, 1, 1): 2**32, (3, 1, 0): 2**32, (4, 0, 2): 256, (5,): 2**53, (6, 0): 2**32, (6, 1): 2**53}


def acks() -> Book:
    """The book."""
    book = Book("A", "Acks: what the gateway says to a terminal, taken or refused.", FLAGS)
    one = down.Down(book, "FR-33", CONTENT, NAMES, c.ack_item)
    _valid(one)
    _sealing(one)
    one.wrong_types(nullable="echo")
    one.past(PAST)
    tree, new = one.changed((4, 0, 2), 0)
    one.refuse("bound FR-33 Bound", "refused, because 0", tree, "range", new)
    _ranges(one)
    _shape(one)
    _kinds(one)
    return book


def _valid(one: down.Down) -> None:
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
        one.valid(flag, comment, content)


def _sealing(one: down.Down) -> None:
    at = one.transplants("FR-35")
    up = c.frame([c.event(3, 1, [4])])
    data = Sealing().seal(c.frame_item(up)).lay()
    one.book.invalid("mac", "FR-35", "Transplant", "a frame of the terminal itself", data, "mac", len(data) - 32)
    one.flips("FR-35", (((2,), 0, "epoch"), ((3, 0, 1), 0, "last"), ((5,), 0, "time_ms")))
    good = one.cuts(0, 1, 9)
    one.book.invalid("mac", "FR-35", "BitFlip", "a tag of zeros", good[:at] + bytes(32), "mac", at)
    one.book.invalid("cut", "FR-03", "Trailing", "a byte after the ack", good + b"\x00", "trailing", len(good))


def _ranges(one: down.Down) -> None:
    for content, path, reason, comment in (
        (c.ack([[5, 4]], []), (3, 0, 1), "range", "a range that ends before it begins"),
        (c.ack([[1, 5], [5, 6]], []), (3, 1, 0), "not_canonical", "ranges that overlap"),
        (c.ack([[9, 9], [1, 5]], []), (3, 1, 0), "not_canonical", "ranges that descend"),
        (c.ack([[3, 3], [3, 3]], []), (3, 1, 0), "not_canonical", "a range twice"),
        (c.ack([[0, 0], [0, 0]], []), (3, 1, 0), "not_canonical", "a range twice, at 0"),
        (c.ack([], [[1, 5, 1], [2, 6, 1]]), (4, 1, 0), "not_canonical", "refused ranges that overlap"),
        (c.ack([], [[6, 5, 1]]), (4, 0, 1), "range", "a refused range that ends before it begins"),
    ):
        tree = c.ack_item(content)
        one.refuse("range FR-34 Order", comment, tree, reason, at_path(tree, *path))


def _shape(one: down.Down) -> None:
    one.counts(((), "payload", 7), ((3, 0), "a range", 2), ((4, 0), "a refusal", 3), ((6,), "echo", 2))
    for index, size in ((3, 2), (4, 3)):
        tree, new = one.changed((index,), [[n, n, 1][:size] for n in range(65)])
        one.refuse("shape FR-34 Count", "65 ranges", tree, "count", new)
        tree, new = one.changed((index,), raw("9bffffffffffffffff"))
        one.refuse("shape FR-34 Count", "a length bomb", tree, "count", new)
    one.ends(0, 1, 2, 5)
    for version in (2, 0, 2**32, 2**64 - 1):
        tree, new = one.changed((0,), version)
        one.refuse("shape FR-15 Version", f"version {version}", tree, "version", new)


def _kinds(one: down.Down) -> None:
    for kind in (0, 10, 2**32, 2**64 - 1):
        tree, new = one.changed((1,), kind)
        one.refuse("kind FR-37 Kind", f"kind {kind}", tree, "kind", new)
    tree, _ = one.changed((), [1, 2**64 - 1])
    one.refuse("kind FR-37 Kind", "an unknown kind without content", tree, "kind", tree.inside[1])
    tree, _ = one.changed((), [1])
    one.refuse("kind FR-37 Kind", "no kind", tree, "count", tree)
    tree, _ = one.changed((1,), 3)
    one.refuse("kind FR-37 Kind", "an ack that says it is a configuration", tree, "count", tree)
