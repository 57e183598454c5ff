"""protocol/vectors/configurations.json: configurations, good and bad.

The document is a byte string here: what may stand in it is protocol/configuration.py's, and not the decoder's.
"""

from tests.protocol.forge import content as c
from tests.protocol.forge import down
from tests.protocol.forge.book import Book
from tests.protocol.forge.tree import at_path, raw

FLAGS = {
    **down.FLAGS,
    "Opaque": "a decoder that reads the document before it knows that the message is authentic and new",
    "Transplant": "a terminal that can be configured by anybody",
    "BitFlip": "a terminal that does not look at the tag",
}

CONTENT = c.configuration(7, b'{"sample_interval_s":10}')
NAMES = {
    (): "payload", (1,): "kind", (2,): "version", (3,): "document", (4,): "echo", (4, 0): "echo.boot_id",
    (4, 1): "echo.sent_ms",
}  # fmt: skip


def configurations() -> Book:
    """The book."""
    book = Book("C", "Configurations: how the gateway configures a terminal, taken or refused.", FLAGS)
    one = down.Down(book, "FR-46", CONTENT, NAMES, c.configuration_item)
    _valid(one)
    one.transplants("FR-46")
    one.flips("FR-46", (((2,), 0, "version"), ((3,), 4, "document"), ((4, 1), 0, "sent_ms")))
    one.cuts(1)
    one.wrong_types()
    one.past({(2,): 2**32, (4, 0): 2**32, (4, 1): 2**53})
    tree, new = one.changed((2,), 0)
    one.refuse("bound FR-46 Bound", "version 0", tree, "range", new)
    for wrong, comment in (
        (b"", "no document"),
        (b" ", "a document of 1 byte"),
        (b" " * 4001, "a document of 4,001 bytes"),
        (raw("5bffffffffffffffff"), "a length bomb"),
    ):
        tree, new = one.changed((3,), wrong)
        one.refuse("bound FR-46 Bound", comment, tree, "range", new)
    one.counts(((), "payload", 5), ((4,), "echo", 2))
    one.ends(0, 1, 2, 3)
    tree, _ = one.changed((1,), 2)
    one.refuse("kind FR-37 Kind", "a configuration that says it is a request", tree, "type", at_path(tree, 3))
    return book


def _valid(one: down.Down) -> None:
    last = c.UINT32
    for flag, comment, content in (
        ("Typical", "another sampling interval", CONTENT),
        ("Smallest", "only what the technician left", c.configuration(1, b"{}", echo=[0, 0])),
        ("Largest", "the last version, 4,000 bytes", c.configuration(last, b" " * 4000, echo=[last, c.UINT53])),
        ("Opaque", "a document that is not JSON", c.configuration(7, b"\xff\x00")),
    ):
        one.valid(flag, comment, content)
