"""protocol/vectors/requests.json: requests for records, good and bad."""

from tests.protocol.forge import content as c
from tests.protocol.forge import down
from tests.protocol.forge.book import Book
from tests.protocol.forge.tree import at_path, raw

FLAGS = {
    **down.FLAGS,
    "Transplant": "a terminal that sends everything again because anybody said so",
    "BitFlip": "a terminal that does not look at the tag",
    "Order": "a decoder that accepts two forms of one set of numbers",
}

CONTENT = c.request([[1, 5], [9, 10]])
NAMES = {
    (): "payload", (1,): "kind", (2,): "epoch", (3,): "ranges", (3, 0): "ranges[0]", (3, 0, 0): "first",
    (3, 0, 1): "last", (4,): "echo", (4, 0): "echo.boot_id", (4, 1): "echo.sent_ms",
}  # fmt: skip


def requests() -> Book:
    """The book."""
    book = Book("Q", "Requests: what the gateway asks a terminal for, taken or refused.", FLAGS)
    one = down.Down(book, "FR-38", CONTENT, NAMES, c.request_item)
    _valid(one)
    one.transplants("FR-38")
    one.flips("FR-38", (((2,), 0, "epoch"), ((3, 0, 1), 0, "last"), ((4, 1), 0, "sent_ms")))
    one.cuts(1)
    one.wrong_types()
    one.past({(2,): 2**32, (3, 1, 1): 2**32, (3, 1, 0): 2**32, (4, 0): 2**32, (4, 1): 2**53})
    _ranges(one)
    one.counts(((), "payload", 5), ((3, 0), "a range", 2), ((4,), "echo", 2))
    one.ends(0, 1, 2, 3)
    tree, _ = one.changed((1,), 1)
    one.refuse("kind FR-37 Kind", "a request that says it is an ack", tree, "count", tree)
    tree, _ = one.changed((1,), 3)
    one.refuse("kind FR-37 Kind", "a request that says it is a configuration", tree, "type", at_path(tree, 3))
    return book


def _valid(one: down.Down) -> None:
    last = c.UINT32
    for flag, comment, content in (
        ("Typical", "two ranges", CONTENT),
        ("Smallest", "one record", c.request([[0, 0]], epoch=0, echo=[0, 0])),
        ("Typical", "ranges that touch", c.request([[1, 2], [3, 4]])),
        ("Largest", "every seq", c.request([[0, last]], epoch=last, echo=[last, c.UINT53])),
        ("Largest", "64 ranges", c.request([[n * 2, n * 2] for n in range(64)])),
    ):
        one.valid(flag, comment, content)


def _ranges(one: down.Down) -> None:
    for ranges, path, reason, comment in (
        ([[5, 4]], (3, 0, 1), "range", "a range that ends before it begins"),
        ([[1, 5], [5, 6]], (3, 1, 0), "not_canonical", "ranges that overlap"),
        ([[9, 9], [1, 5]], (3, 1, 0), "not_canonical", "ranges that descend"),
        ([[0, 0], [0, 0]], (3, 1, 0), "not_canonical", "a range twice"),
    ):
        tree = c.request_item(c.request(ranges))
        one.refuse("range FR-34 Order", comment, tree, reason, at_path(tree, *path))
    for wrong, comment in (
        ([], "no range"),
        ([[n, n] for n in range(65)], "65 ranges"),
        (raw("9bffffffffffffffff"), "a length bomb"),
    ):
        tree, new = one.changed((3,), wrong)
        one.refuse("range FR-38 Count", comment, tree, "count", new)
