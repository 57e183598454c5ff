"""protocol/vectors/frames_envelope.json: what is wrong around the payload: size, cuts, structure, version, key, tag."""

import hmac
from typing import Any

import cbor2

from tests.protocol.forge import content as c
from tests.protocol.forge.book import Book
from tests.protocol.forge.headers import HEADER, headers, payload
from tests.protocol.forge.tree import DOWN, Item, Sealing, at_path, item, protected, raw, reseal, wrapped

FLAGS = {
    "Cut": "a decoder that reads past the end, or takes a part for the whole",
    "Oversize": "a receiver that lets a sender choose how much it must hold",
    "Trailing": "a decoder that does not look at what follows (cbor2 does not)",
    "WrongTag": "a decoder that takes other COSE structures, or none, for a COSE_Mac0",
    "WrongType": "a decoder that takes the next item without looking at its type",
    "WrongCount": "a decoder that trusts the number of items",
    "NotShortest": "a decoder that accepts two encodings of one frame",
    "Indefinite": "a decoder that accepts indefinite lengths",
    "Algorithm": "an implementation that lets the sender choose the algorithm",
    "HeaderPlace": "an implementation that honours unauthenticated headers",
    "HeaderKeys": "a decoder for which a header key may stand twice, elsewhere or unasked",
    "KeyId": "a decoder that takes any kid, or tries all keys",
    "TagSize": "an implementation that compares only as much of the tag as there is",
    "BitFlip": "an implementation that does not check the tag, or not all of it",
    "MacInput": "an implementation that computes the tag over something else than RFC 9052's MAC_structure",
    "Transplant": "a tag that does not bind terminal, direction and version",
    "OtherKey": "a key that opens another terminal's frames",
    "Version": "a decoder that misreads, or calls damaged, what is only newer",
    "NotWellFormed": "a CBOR decoder that accepts what RFC 8949, Appendix F says is not well-formed",
}


def good() -> Item:
    """A good frame."""
    return Sealing().seal(payload())


def frames_envelope() -> Book:
    """The book."""
    book = Book("F", "Frames refused for what surrounds the payload, or for their tag.", FLAGS)
    _cuts(book)
    _structure(book)
    headers(book)
    _tags(book)
    _bound_by_tag(book)
    _versions(book)
    return book


def _cuts(book: Book) -> None:
    data = good().lay()
    body = good().inside[0]
    places = {
        "nothing at all": 0, "after the tag's number": 1, "after the array's head": 2, "inside the protected header": 5,
        "before the unprotected header": body.inside[1].at, "before the payload": body.inside[2].at,
        "inside the payload's length": body.inside[2].at + 1, "before the payload's first byte": body.inside[2].at + 2,
        "in the middle of the payload": body.inside[2].at + 12, "before the tag": body.inside[3].at,
        "inside the tag's length": body.inside[3].at + 1, "before the tag's first byte": body.inside[3].at + 2,
        "in the middle of the tag": len(data) - 16, "before the last byte": len(data) - 1,
    }  # fmt: skip
    for where, at in places.items():
        book.invalid("cut", "FR-51", "Cut", f"cut {where}", data[:at], "truncated", at)
    for text in ("18", "19ff", "1affffff", "1bffffffffffffff", "d1", "d8", "d184", "d1847b00"):
        one = bytes.fromhex(text)
        book.invalid("cut", "FR-51", "Cut NotWellFormed", f"a head that is cut: {text}", one, "truncated", len(one))
    book.invalid("cut", "FR-03", "Trailing", "a byte after the frame", data + b"\x00", "trailing", len(data))
    book.invalid("cut", "FR-03", "Trailing", "the frame twice", data + data, "trailing", len(data))
    large = Sealing().seal(Item(bytes(4097 - 47))).lay()
    book.invalid("cut", "FR-40", "Oversize", "4097 bytes, well-formed and sealed", large, "oversize", 4096)
    book.invalid("cut", "FR-40", "Oversize", "4097 zeros", bytes(4097), "oversize", 4096)


def _structure(book: Book) -> None:
    for text, what in (
        ("", "untagged"),
        ("d0", "COSE_Encrypt0 (16)"),
        ("d2", "COSE_Sign1 (18)"),
        ("d861", "COSE_Mac (97)"),
    ):
        frame = Sealing(tag_head=text).seal(payload())
        book.invalid("tag", "FR-10", "WrongTag", what, frame.lay(), "tag", 0)
    frame = Sealing(tag_head="d811").seal(payload())
    book.invalid("tag", "FR-01", "NotShortest", "tag 17 in two bytes", frame.lay(), "not_shortest", 0)
    for text in ("1c", "1f", "3e", "5f", "7d", "9f", "bf", "dc", "df"):
        reason = "indefinite" if int(text, 16) & 31 == 31 else "reserved"
        data = bytes.fromhex(text) + good().lay()[1:]
        book.invalid("tag", "FR-01", "NotWellFormed", f"begins with {text}", data, reason, 0)
    for text, reason in (("f0", "type"), ("f6", "type"), ("fa", "float"), ("fc", "reserved"), ("ff", "indefinite")):
        data = bytes.fromhex(text) + good().lay()[1:]
        book.invalid("tag", "FR-10", "WrongTag NotWellFormed", f"begins with {text}", data, reason, 0)
    for text, reason, flag in (
        ("83", "count", "WrongCount"), ("85", "count", "WrongCount"), ("9804", "not_shortest", "NotShortest"),
        ("9f", "indefinite", "Indefinite"), ("a4", "type", "WrongType"), ("d184", "type", "WrongTag"),
    ):  # fmt: skip
        frame = Sealing(array_head=text).seal(payload())
        book.invalid("array", "FR-10", flag, f"the array begins with {text}", frame.lay(), reason, 1)
    parts = {"header": 0, "payload": 2, "tag": 3}
    for part, index in parts.items():
        for value, what in ((None, "null (detached)"), ("text", "a text"), (5, "an integer"), ([], "an array")):
            frame = reseal(good(), **{part: value})
            where = at_path(frame, 0, index)
            flag = "WrongType"
            book.invalid("array", "FR-10", flag, f"{part} is {what}", frame.lay(), "type", where)
    _lengths(book)


def _lengths(book: Book) -> None:
    data = payload().lay()
    for text, reason, flag in (
        (f"59{len(data):04x}", "not_shortest", "NotShortest"),
        (f"5a{len(data):08x}", "not_shortest", "NotShortest"),
        ("591001", "range", "Oversize"),
        ("5affffffff", "range", "Oversize"),
        ("5bffffffffffffffff", "range", "Oversize"),
        ("5f5820", "indefinite", "Indefinite"),
    ):
        frame = reseal(good(), payload=raw(text + data.hex()))
        book.invalid("length", "FR-40", flag, f"payload begins with {text}", frame.lay(), reason, at_path(frame, 0, 2))
    frame = reseal(good(), payload=raw("591000" + data.hex()))
    book.invalid(
        "length",
        "FR-51",
        "Cut",
        "a payload of 4096 bytes that are not there",
        frame.lay(),
        "truncated",
        len(frame.lay()),
    )
    for size in (0, 8, 16, 31, 33, 64):
        frame = reseal(good(), tag=bytes(size))
        book.invalid("length", "FR-13", "TagSize", f"a tag of {size} bytes", frame.lay(), "range", at_path(frame, 0, 3))
    right = Sealing().mac(data)
    frame = reseal(good(), tag=right[:16])
    book.invalid(
        "length", "FR-13", "TagSize", "the right tag, its first half", frame.lay(), "range", at_path(frame, 0, 3)
    )


def _tags(book: Book) -> None:
    data = good().lay()
    tag_at = len(data) - 32
    content_at = good().inside[0].inside[2].at + 2
    for at, bit, what in (
        (tag_at, 7, "the tag's first bit"),
        (len(data) - 1, 0, "the tag's last bit"),
        (tag_at + 15, 3, "a bit within the tag"),
        (content_at + 3, 0, "a bit of the epoch"),
        (tag_at - 3, 0, "the payload's last bit"),
    ):
        flipped = bytearray(data)
        flipped[at] ^= 1 << bit
        book.invalid("mac", "FR-13", "BitFlip", what, bytes(flipped), "mac", tag_at)
    zero = reseal(good(), tag=bytes(32))
    book.invalid("mac", "FR-13", "BitFlip", "a tag of zeros", zero.lay(), "mac", tag_at)
    body = payload().lay()
    secret = Sealing().secret
    wrong = {
        "over the payload alone": body,
        "over the structure without external_aad": cbor2.dumps(["MAC0", protected().lay(), body]),
        "with external_aad as an array": cbor2.dumps(["MAC0", protected().lay(), ["T0001", 0, 1], body]),
        "with the header as a map": cbor2.dumps(["MAC0", HEADER, cbor2.dumps(["T0001", 0, 1]), body]),
        "over the whole frame before the tag": data[: tag_at - 2],
    }
    for comment, message in wrong.items():
        frame = reseal(good(), tag=hmac.new(secret, message, "sha256").digest())
        book.invalid("mac", "FR-13", "MacInput", f"a tag {comment}", frame.lay(), "mac", tag_at)
    plain = reseal(good(), tag=hmac.new(b"", body, "sha256").digest())
    book.invalid("mac", "FR-13", "MacInput", "a tag with an empty key", plain.lay(), "mac", tag_at)
    for comment, sealing in (
        ("with an empty external_aad", Sealing(external=False)),
        ("with context MAC", Sealing(context="MAC")),
    ):
        book.invalid("mac", "FR-13", "MacInput", f"a tag {comment}", sealing.seal(payload()).lay(), "mac", tag_at)


def _bound_by_tag(book: Book) -> None:
    """Each of these is a good frame: of someone else."""
    tag_at = len(good().lay()) - 32
    for flag, comment, sealing in (
        ("Transplant", "of another terminal", Sealing(terminal="T0002")),
        ("Transplant", "of a terminal whose name only begins like ours", Sealing(terminal="T00011")),
        ("Transplant", "of a terminal in other letters", Sealing(terminal="t0001")),
        ("Transplant", "an ack's direction", Sealing(direction=DOWN)),
        ("Transplant", "another version in external_aad only", Sealing(version=2)),
        ("OtherKey", "another key", Sealing(secret=bytes(32))),
        ("OtherKey", "our key in the other byte order", Sealing(secret=bytes(range(32))[::-1])),
    ):
        book.invalid("transplant", "FR-13", flag, comment, sealing.seal(payload()).lay(), "mac", tag_at)
    both = {"1": bytes(range(32)).hex(), "2": bytes(32).hex()}
    frame = Sealing(header=protected(2)).seal(payload())
    comment = "key 1 used, generation 2 named; both are known"
    book.invalid("transplant", "FR-12", "OtherKey KeyId", comment, frame.lay(), "mac", tag_at, keys=both)
    for generation in (2, 255):
        frame = Sealing(header=protected(generation)).seal(payload())
        comment = f"generation {generation} is not known"
        book.invalid("transplant", "FR-12", "KeyId", comment, frame.lay(), "kid", 8)
    book.invalid("transplant", "FR-12", "KeyId", "no key is known", good().lay(), "kid", 8, keys={})


def _versions(book: Book) -> None:
    for version in (0, 2, 23, 24, 255, 256, 65_536, c.UINT32):
        tree = item([version, *payload().inside[1:]])
        for sealing in ({}, {"version": version}):
            comment = f"version {version}, sealed as {sealing or 'version 1'}"
            book.refuse("version", "FR-15", "Version", comment, tree, "version", tree.inside[0], **sealing)
    for tree, comment in (
        (item([2]), "only a version"),
        (item([2, "new", {7: 1.5}]), "a version and what we can't read"),
    ):
        book.refuse("version", "FR-15", "Version", comment, tree, "version", tree.inside[0])
    tree = item([2])
    frame = Sealing(header=protected(9)).seal(tree)
    comment = "version before key: neither is known"
    book.invalid("version", "FR-14", "Version KeyId", comment, frame.lay(), "version", tree.inside[0])
    _wrong_versions(book)
    _wrong_payloads(book)
    for version in (2**32 - 1, 2**53, 2**63, 2**64 - 2):
        tree = item([version])
        comment = f"only a version: {version}"
        book.refuse("version", "FR-15", "Version", comment, tree, "version", tree.inside[0])


def _wrong_versions(book: Book) -> None:
    for value, reason in (
        (2**32, "version"),
        (2**64 - 1, "version"),
        (-1, "type"),
        ("1", "type"),
        (1.0, "float"),
        (None, "type"),
    ):
        tree = item([value, *payload().inside[1:]])
        book.refuse("version", "FR-15", "Version WrongType", f"version {value!r}", tree, reason, tree.inside[0])
    tree = raw("851801" + payload().lay()[2:].hex())
    book.refuse("version", "FR-01", "NotShortest", "version 1 in two bytes", tree, "not_shortest", item_in(tree, 1))


def _wrong_payloads(book: Book) -> None:
    cases: tuple[tuple[Any, str, str], ...] = (
        (raw(""), "ends_early", "Cut"),
        ([], "count", "WrongCount"),
        ({1: 1}, "type", "WrongType"),
        (1, "type", "WrongType"),
        (raw("9f01ff"), "indefinite", "Indefinite"),
        (raw("9b000000010000000001"), "count", "WrongCount"),
        (raw("9a00010000"), "ends_early", "WrongCount"),
        (raw("85"), "ends_early", "Cut"),
        (wrapped(payload()), "type", "WrongType"),
    )
    for value, reason, flag in cases:
        tree = item(value)
        at = None if reason == "ends_early" else tree
        comment = f"the payload is {tree.lay().hex() or 'empty'}"
        book.refuse("version", "FR-15", flag, comment, tree, reason, at)


def item_in(tree: Item, offset: int) -> Item:
    """A place within an item that was given as bytes: laid out with it."""
    place = Item(tree.own[offset:])
    tree.own, tree.inside = tree.own[:offset], [place, *tree.inside]
    return place
