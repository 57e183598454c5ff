"""protocol/vectors/updates.json: offers of releases, pieces of them, their end.

The signed manifest is a byte string here: vectors/update/ has those.
"""

from tests.protocol.forge import content as c
from tests.protocol.forge import down
from tests.protocol.forge.book import Book
from tests.protocol.forge.tree import Item, raw

FLAGS = {
    **down.FLAGS,
    "Opaque": "a decoder that reads the manifest before it knows that the message is authentic and fresh",
    "Transplant": "a terminal to which anybody may offer a release",
    "BitFlip": "a terminal that does not look at the tag",
}

OFFER = c.offer(1_767_225_600, b"signed")
CHUNK = c.chunk(1_767_225_600, 16_000, b"content")
ABORT = c.abort(1_767_225_600)


def updates() -> Book:
    """The book."""
    book = Book("U", "Updates: how a release of the application comes to a terminal, taken or refused.", FLAGS)
    _offers(down.Down(book, "FR-82", OFFER, down.names_of("vouched", "signed"), c.offer_item))
    _chunks(down.Down(book, "FR-83", CHUNK, down.names_of("number", "offset", "content"), c.chunk_item))
    _aborts(down.Down(book, "FR-84", ABORT, down.names_of("number"), c.abort_item))
    return book


def _offers(one: down.Down) -> None:
    one.valid("Typical", "an offer", OFFER)
    one.valid("Smallest", "of a manifest of 1 byte", c.offer(0, b"x", echo=[0, 0]))
    one.valid("Largest", "of a manifest of 1,024 bytes", c.offer(c.UINT32, bytes(1024), echo=[c.UINT32, c.UINT53]))
    one.valid("Opaque", "of what is no manifest", c.offer(7, b"\xff\x00"))
    one.transplants("FR-82")
    one.flips("FR-82", (((2,), 0, "vouched"), ((3,), 2, "signed"), ((4, 1), 0, "sent_ms")))
    one.cuts(1)
    one.wrong_types()
    one.past({(2,): 2**32, (4, 0): 2**32, (4, 1): 2**53})
    _lengths(one, (3,), "a manifest", 1024)
    one.counts(((), "payload", 5), ((4,), "echo", 2))
    one.ends(0, 1, 2, 3)


def _chunks(one: down.Down) -> None:
    one.valid("Typical", "a piece", CHUNK)
    one.valid("Smallest", "of 1 byte at the beginning", c.chunk(1, 0, b"\x00", echo=[0, 0]))
    largest = c.chunk(c.UINT32, c.UINT32, bytes(4000), echo=[c.UINT32, c.UINT53])
    one.valid("Largest", "of 4,000 bytes, every number as large as can be", largest)
    one.transplants("FR-83")
    one.flips("FR-83", (((2,), 0, "number"), ((3,), 0, "offset"), ((4,), 3, "content")))
    one.wrong_types()
    one.past({(2,): 2**32, (3,): 2**32, (5, 0): 2**32, (5, 1): 2**53})
    _lengths(one, (4,), "content", 4000)
    one.counts(((), "payload", 6), ((5,), "echo", 2))
    one.ends(0, 1, 2, 3)


def _aborts(one: down.Down) -> None:
    one.valid("Typical", "the end of one", ABORT)
    one.valid("Largest", "the end of the last one", c.abort(c.UINT32, echo=[c.UINT32, c.UINT53]))
    one.transplants("FR-84")
    one.wrong_types()
    one.past({(2,): 2**32, (3, 0): 2**32, (3, 1): 2**53})
    one.counts(((), "payload", 4), ((3,), "echo", 2))
    one.ends(0, 1, 2, 3)
    for kind, name in ((4, "an offer"), (5, "a chunk")):
        tree, _ = one.changed((1,), kind)
        one.refuse("kind FR-37 Kind", f"an abort that says it is {name}", tree, "count", tree)


def _lengths(one: down.Down, path: down.Path, name: str, maximum: int) -> None:
    wrong: tuple[tuple[bytes | Item, str], ...] = (
        (b"", f"{name} of no bytes"),
        (bytes(maximum + 1), f"{name} of {maximum + 1:,} bytes"),
        (raw("5bffffffffffffffff"), f"{name}: a length bomb"),
    )
    for value, comment in wrong:
        tree, new = one.changed(path, value)
        one.refuse(f"bound {one.clause} Bound", comment, tree, "range", new)
