"""Vectors about a frame's two headers: {1: 5, 4: kid} protected, nothing unprotected (FR-11, FR-12)."""

from typing import Any

from tests.protocol.forge import content as c
from tests.protocol.forge.book import Book
from tests.protocol.forge.tree import Item, Sealing, at_path, item, raw

HEADER = {1: 5, 4: b"\x01"}


def headers(book: Book) -> None:
    """Adds them."""
    _algorithms(book)
    _buckets(book)
    _header_keys(book)


def payload() -> Item:
    """A good payload."""
    return c.frame_item(c.frame([c.event(3, 1, [4])]))


def _algorithms(book: Book) -> None:
    for value, what in (
        (4, "HMAC 256/64"),
        (6, "HMAC 384/384"),
        (-999, "unknown"),
        (0, "reserved"),
        (1, "A128GCM"),
        (-7, "ES256"),
    ):
        header = Item(b"\xa2\x01", [item(value), Item(b"\x04\x41\x01")])
        frame = Sealing(header=header).seal(payload())
        where = header.inside[0]
        book.invalid("alg", "FR-11", "Algorithm", f"algorithm {value}: {what}", frame.lay(), "algorithm", where)
    for other in ("HS256", None, b"\x05", 5.0):
        header = Item(b"\xa2\x01", [item(other), Item(b"\x04\x41\x01")])
        frame = Sealing(header=header).seal(payload())
        reason = "float" if other == 5.0 else "type"
        book.invalid(
            "alg", "FR-11", "Algorithm WrongType", f"algorithm {other!r}", frame.lay(), reason, header.inside[0]
        )
    header = Item(b"\xa2\x01", [item(2**32), Item(b"\x04\x41\x01")])
    frame = Sealing(header=header).seal(payload())
    book.invalid("alg", "FR-11", "Algorithm", "algorithm 2^32", frame.lay(), "range", header.inside[0])


def _buckets(book: Book) -> None:
    for extra, what in (
        ({1: 5}, "the algorithm"),
        ({4: b"\x01"}, "the key id"),
        ({5: bytes(12)}, "an IV"),
        ({99: 0}, "99"),
    ):
        frame = Sealing(unprotected=item(extra)).seal(payload())
        where = at_path(frame, 0, 1)
        book.invalid("bucket", "FR-11", "HeaderPlace", f"unprotected: {what}", frame.lay(), "header", where)
    for kept, moved in (({4: b"\x01"}, {1: 5}), ({1: 5}, {4: b"\x01"}), ({}, HEADER)):
        sealing = Sealing(header=item(kept), unprotected=item(moved))
        frame = sealing.seal(payload())
        comment = f"moved to the unprotected header: {list(moved)}"
        book.invalid("bucket", "FR-11", "HeaderPlace", comment, frame.lay(), "header", sealing.header)
    cases: tuple[tuple[Any, str], ...] = (
        (None, "type"),
        ([], "type"),
        (b"", "type"),
        (raw("bfff"), "indefinite"),
        (raw("b800"), "not_shortest"),
    )
    for value, reason in cases:
        frame = Sealing(unprotected=item(value)).seal(payload())
        where = at_path(frame, 0, 1)
        book.invalid("bucket", "FR-11", "WrongType", f"unprotected is {where.own.hex()}", frame.lay(), reason, where)


def _header_keys(book: Book) -> None:
    """Protected headers, byte by byte; the number is how far into the header the mistake stands."""
    cases = (
        ("", "ends_early", 0, "Cut", "empty (RFC 9052 allows it where there is no header)"),
        ("a0", "header", 0, "HeaderKeys", "an empty map"),
        ("a10105", "header", 0, "HeaderKeys", "no key id"),
        ("a1044101", "header", 0, "HeaderKeys", "no algorithm"),
        ("a3010504410105420000", "header", 0, "HeaderKeys", "a third key"),
        ("a201050105", "duplicate_key", 3, "HeaderKeys", "the algorithm twice"),
        ("a20105004101", "key_order", 3, "HeaderKeys", "keys that descend"),
        ("a20441010105", "header", 1, "HeaderKeys", "the key id before the algorithm"),
        ("a20105054101", "header", 3, "HeaderKeys", "another key than 4"),
        ("a20105028104", "header", 3, "HeaderKeys", "crit"),
        ("a20305044101", "header", 1, "HeaderKeys", "another key than 1"),
        ("a2613105044101", "type", 1, "HeaderKeys WrongType", "a text as key"),
        ("a22005044101", "type", 1, "HeaderKeys WrongType", "a negative key"),
        ("a201051a0000000401", "not_shortest", 3, "NotShortest", "a key that is not in its shortest form"),
        ("a2180105044101", "not_shortest", 1, "NotShortest", "another such key"),
        ("a2011805044101", "not_shortest", 2, "NotShortest", "an algorithm that is not in its shortest form"),
        ("b8020105044101", "not_shortest", 0, "NotShortest", "a map's head that is not in its shortest form"),
        ("bf0105044101ff", "indefinite", 0, "Indefinite", "a map of indefinite length"),
        ("a20105045f4101ff", "indefinite", 4, "Indefinite", "a key id of indefinite length"),
        ("820105", "type", 0, "WrongType", "an array"),
        ("46a20105044101", "type", 0, "WrongType", "a byte string in the byte string"),
        ("a2010504", "ends_early", 4, "Cut", "cut before the key id"),
        ("a201050441", "ends_early", 5, "Cut", "cut in the key id"),
        ("a2010504410100", "trailing", 6, "Trailing", "a byte after the map"),
        ("a2010504420102", "range", 4, "KeyId", "a key id of two bytes"),
        ("a2010504420001", "range", 4, "KeyId", "a key id of two bytes, the first zero"),
        ("a201050440", "range", 4, "KeyId", "an empty key id"),
        ("a20105044100", "range", 5, "KeyId", "key id 0"),
        ("a201050401", "type", 4, "KeyId WrongType", "an integer as key id"),
        ("a20105046101", "type", 4, "KeyId WrongType", "a text as key id"),
        ("a2010504580101", "not_shortest", 4, "NotShortest KeyId", "a key id whose length is not in its shortest form"),
    )
    for text, reason, inside, flag, comment in cases:
        header = raw(text)
        frame = Sealing(header=header).seal(payload())
        book.invalid("header", "FR-11", flag, comment, frame.lay(), reason, header.at + inside)
