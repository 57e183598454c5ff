"""CBOR items that know where they stand, so that a vector can name its mistake's byte; and the COSE_Mac0 around."""

import hmac
from dataclasses import dataclass, field
from typing import Any

import cbor2

UP = 0
DOWN = 1
MAC0 = "MAC0"


@dataclass(eq=False)
class Item:
    """One item: its own bytes, then what it contains. `at` is its offset, set by `lay`."""

    own: bytes
    inside: list["Item"] = field(default_factory=list)
    at: int = -1

    def lay(self, at: int = 0) -> bytes:
        """All bytes, the item beginning at offset `at`."""
        self.at = at
        parts = [self.own]
        at += len(self.own)
        for one in self.inside:
            parts.append(one.lay(at))
            at += len(parts[-1])
        return b"".join(parts)


def item(value: Any) -> Item:
    """A Python value as an item (an Item stays itself), every head in its shortest form."""
    if isinstance(value, Item):
        return value
    if isinstance(value, list):
        return Item(array_head(len(value)), [item(one) for one in value])
    return Item(cbor2.dumps(value))


def raw(hexadecimal: str, *inside: Any) -> Item:
    """Exactly these bytes, then items."""
    return Item(bytes.fromhex(hexadecimal), [item(one) for one in inside])


def wrapped(content: Item) -> Item:
    """A byte string around an item."""
    size = len(content.lay())
    return Item(cbor2.dumps(bytes(size))[: -size or None], [content])


def array_head(count: int) -> bytes:
    """The head of an array, as cbor2 writes it."""
    return cbor2.dumps([0] * count)[: -count or None]


def at_path(tree: Item, *path: int) -> Item:
    """The item at a path of positions."""
    for step in path:
        tree = tree.inside[step]
    return tree


def put(tree: Item, value: Any, *path: int) -> Item:
    """Another item at that path; returns it."""
    new = item(value)
    at_path(tree, *path[:-1]).inside[path[-1]] = new
    return new


def protected(generation: int = 1) -> Item:
    """The one header that is taken: {1: 5, 4: kid}."""
    return Item(cbor2.dumps({1: 5, 4: bytes([generation])}))


@dataclass
class Sealing:
    """How a frame is made; the defaults make a good one, a vector changes what it is about."""

    secret: bytes = bytes(range(32))
    terminal: str = "T0001"
    direction: int = UP
    version: int = 1
    header: Item = field(default_factory=protected)
    unprotected: Item = field(default_factory=lambda: raw("a0"))
    tag_head: str = "d1"
    array_head: str = "84"
    context: str = MAC0
    external: bool = True  # bind terminal, direction and version

    def mac(self, payload: bytes) -> bytes:
        """RFC 9052, 6.3: HMAC-SHA256 over the encoded MAC_structure."""
        aad = cbor2.dumps([self.terminal, self.direction, self.version]) if self.external else b""
        structure = cbor2.dumps([self.context, self.header.lay(), aad, payload])
        return hmac.new(self.secret, structure, "sha256").digest()

    def seal(self, payload: Item, tag: bytes | None = None) -> Item:
        """The frame, laid out: offsets are set, also those inside the payload and the header."""
        mac = self.mac(payload.lay()) if tag is None else tag
        body = raw(self.array_head, wrapped(self.header), self.unprotected, wrapped(payload), mac)
        frame = raw(self.tag_head, body)
        frame.lay()
        return frame


def reseal(frame: Item, **parts: Any) -> Item:
    """The frame with some of `header`, `unprotected`, `payload`, `tag` replaced as they are, and nothing recomputed."""
    names = ("header", "unprotected", "payload", "tag")
    for name, value in parts.items():
        put(frame, value, 0, names.index(name))
    frame.lay()
    return frame
