"""protocol/vectors/keys.json: offers of keys, what says that one is to be used, and certificates.

A point is a byte string here: vectors/key_agreement.json has what comes of one. So is the certificates' document.
"""

from tests.protocol.forge import content as c
from tests.protocol.forge import down
from tests.protocol.forge.book import Book
from tests.protocol.forge.tree import Item, raw

FLAGS = {
    **down.FLAGS,
    "Opaque": "a decoder that looks at the point or the certificates before it knows that the message is authentic",
    "Transplant": "a terminal whose keys anybody may change",
    "BitFlip": "a terminal that does not look at the tag",
}
OFFER = c.key_offer(2, bytes(range(64)))
USE = c.key_use()
CERTIFICATES = c.configuration(7, b"\x30\x03one\x30\x03two")
Lengths = tuple[tuple[bytes | Item, str], ...]


def keys() -> Book:
    """The book."""
    book = Book("K", "Keys and certificates: how a terminal gets others, taken or refused.", FLAGS)
    _offers(down.Down(book, "FR-91", OFFER, down.names_of("offered", "point"), c.key_offer_item))
    _uses(down.Down(book, "FR-93", USE, down.names_of(), c.key_use_item))
    _certificates(down.Down(book, "FR-95", CERTIFICATES, down.names_of("version", "document"), c.certificates_item))
    return book


def _offers(one: down.Down) -> None:
    one.valid("Typical", "the next key", OFFER)
    one.valid("Smallest", "of generation 1", c.key_offer(1, bytes(64), echo=[0, 0]))
    one.valid("Largest", "of the last generation", c.key_offer(255, b"\xff" * 64, echo=[c.UINT32, c.UINT53]))
    one.valid("Opaque", "of what is no point", c.key_offer(2, b"\x01" * 64))
    one.transplants("FR-91")
    one.flips("FR-91", (((2,), 0, "offered"), ((3,), 2, "point"), ((4, 1), 0, "sent_ms")))
    one.cuts(1)
    one.wrong_types()
    one.past({(2,): 256, (4, 0): 2**32, (4, 1): 2**53})
    _bounds(one, ((bytes(63), "a point of 63 bytes"), (bytes(65), "a point of 65 bytes")))
    one.counts(((), "payload", 5), ((4,), "echo", 2))
    one.ends(0, 1, 2, 3)


def _uses(one: down.Down) -> None:
    one.valid("Typical", "the key is to be used", USE)
    one.valid("Largest", "in answer to the last frame", c.key_use(echo=[c.UINT32, c.UINT53]))
    one.transplants("FR-93")
    one.flips("FR-93", (((2, 0), 0, "boot_id"), ((2, 1), 0, "sent_ms")))
    one.wrong_types()
    one.past({(2, 0): 2**32, (2, 1): 2**53})
    for kind, name in ((6, "the end of an update"), (7, "an offer of a key")):
        tree, _ = one.changed((1,), kind)
        one.refuse("kind FR-37 Kind", f"what says that it is {name}", tree, "count", tree)
    one.counts(((), "payload", 3), ((2,), "echo", 2))
    one.ends(0, 1, 2, 3)


def _certificates(one: down.Down) -> None:
    one.valid("Typical", "two of them", CERTIFICATES)
    one.valid("Largest", "4,000 bytes", c.configuration(c.UINT32, b"\x30" * 4000, echo=[c.UINT32, c.UINT53]))
    one.valid("Opaque", "of what is no certificate", c.configuration(7, b"\xff\x00"))
    one.transplants("FR-95")
    one.flips("FR-95", (((2,), 0, "version"), ((3,), 4, "document")))
    one.wrong_types()
    one.past({(2,): 2**32, (4, 0): 2**32, (4, 1): 2**53})
    _bounds(one, ((b"", "no document"), (bytes(4001), "4,001 bytes"), (raw("5bffffffffffffffff"), "a length bomb")))
    one.counts(((), "payload", 5), ((4,), "echo", 2))
    one.ends(0, 1, 2, 3)


def _bounds(one: down.Down, wrong: Lengths) -> None:
    """The number that must not be 0, and what stands behind it in wrong lengths."""
    tree, new = one.changed((2,), 0)
    one.refuse(f"bound {one.clause} Bound", "number 0", tree, "range", new)
    for value, comment in wrong:
        tree, new = one.changed((3,), value)
        one.refuse(f"bound {one.clause} Bound", comment, tree, "range", new)
