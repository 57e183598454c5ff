"""What the vectors of all that goes down share: one good payload, and the same mistakes made in it."""

from collections.abc import Callable, Iterable

from tests.protocol.forge.book import Book
from tests.protocol.forge.content import Content
from tests.protocol.forge.tree import DOWN, UP, Item, Sealing, array_head, at_path, item, put, raw

Path = tuple[int, ...]

FLAGS = {
    "Typical": "a decoder that does not read what gateways send every day",
    "Smallest": "a decoder that asks for more than must be there",
    "Largest": "a buffer, a counter or an integer that is too small",
    "WrongType": "a decoder that takes the next item without looking at its type",
    "Bound": "a decoder that lets a number or a length through that nothing can mean",
    "Count": "a decoder that trusts the number of items",
    "Cut": "a decoder that reads past the end",
    "Trailing": "a decoder that does not look at what follows",
    "Kind": "a terminal that takes one kind of message for another, or calls damaged what is only newer",
}


def names_of(*items: str) -> dict[Path, str]:
    """What stands at each path of a payload with these items between its kind and its echo."""
    at = 2 + len(items)
    names: dict[Path, str] = {(): "payload", (1,): "kind"}
    names.update({(2 + n,): name for n, name in enumerate(items)})
    return {**names, (at,): "echo", (at, 0): "echo.boot_id", (at, 1): "echo.sent_ms"}


class Down:
    """One kind of message. `names`: what stands at each path of its payload; `encode`: content to payload."""

    def __init__(
        self, book: Book, clause: str, content: Content, names: dict[Path, str], encode: Callable[[Content], Item]
    ) -> None:
        self.book = book
        self.clause = clause
        self.content = content
        self.names = names
        self.encode = encode

    def valid(self, flag: str, comment: str, content: Content) -> None:
        """A message that is taken."""
        data = Sealing(direction=DOWN).seal(self.encode(content)).lay()
        self.book.valid(self.clause, flag, comment, data, content)

    def refuse(self, kind: str, comment: str, tree: Item, reason: str, at: Item | None) -> None:
        """`kind`: group, clause and flag."""
        group, clause, flag = kind.split()
        self.book.refuse(group, clause, flag, comment, tree, reason, at, direction=DOWN)

    def changed(self, path: Path, value: object) -> tuple[Item, Item]:
        """(payload, the item at `path`), which is another there."""
        tree = self.encode(self.content)
        if not path:
            new = item(value)
            return new, new
        return tree, put(tree, value, *path)

    def transplants(self, clause: str) -> int:
        """Sealed for another, the other way, with another key; returns where the tag stands."""
        at = len(Sealing(direction=DOWN).seal(self.encode(self.content)).lay()) - 32
        for comment, sealing in (
            ("of another terminal", Sealing(direction=DOWN, terminal="T0002")),
            ("sealed as a frame that goes up", Sealing(direction=UP)),
            ("with another key", Sealing(direction=DOWN, secret=bytes(32))),
        ):
            data = sealing.seal(self.encode(self.content)).lay()
            self.book.invalid("mac", clause, "Transplant", comment, data, "mac", at)
        return at

    def flips(self, clause: str, places: Iterable[tuple[Path, int, str]]) -> None:
        """A bit of what stands at (path, byte)."""
        tree = self.encode(self.content)
        good = Sealing(direction=DOWN).seal(tree).lay()
        for path, byte, what in places:
            flipped = bytearray(good)
            flipped[at_path(tree, *path).at + byte] ^= 1
            self.book.invalid("mac", clause, "BitFlip", f"a bit of {what}", bytes(flipped), "mac", len(good) - 32)

    def cuts(self, *more: int) -> bytes:
        """The message cut short; returns it whole."""
        good = Sealing(direction=DOWN).seal(self.encode(self.content)).lay()
        for cut in (*more, len(good) // 2, len(good) - 1):
            self.book.invalid("cut", "FR-51", "Cut", f"cut after {cut} bytes", good[:cut], "truncated", cut)
        return good

    def wrong_types(self, nullable: str = "") -> None:
        """Another type at each path."""
        for path, name in self.names.items():
            for value, reason in (("x", "type"), (1.5, "float"), (-1, "type"), (None, "type")):
                if value is not None or name != nullable:
                    tree, new = self.changed(path, value)
                    self.refuse("type FR-04 WrongType", f"{value!r} as {name}", tree, reason, new)

    def past(self, bounds: dict[Path, int]) -> None:
        """The first number that is too large at each path, and the largest there is."""
        for path, value in bounds.items():
            for one in (value, 2**64 - 1):
                tree, new = self.changed(path, one)
                name = self.names.get(path, "a range's end")
                self.refuse("bound FR-44 Bound", f"{name}: {one}", tree, "range", new)

    def counts(self, *arrays: tuple[Path, str, int]) -> None:
        """(path, name, right number of items) of arrays: one too few and one too many."""
        for path, name, good in arrays:
            for count in (good - 1, good + 1):
                tree = self.encode(self.content)
                one = at_path(tree, *path)
                items = [*one.inside, item(0)][:count]
                one.own, one.inside = array_head(count), items
                self.refuse("shape FR-04 Count", f"{name} of {count} items", tree, "count", one)

    def ends(self, *more: int) -> None:
        """The payload cut short, and one with a byte behind it."""
        whole = self.encode(self.content).lay()
        for end in (*more, len(whole) // 2, len(whole) - 1):
            comment = f"the payload ends after {end} bytes"
            self.refuse("shape FR-51 Cut", comment, raw(whole[:end].hex()), "ends_early", None)
        after = Item(b"\x00")
        self.refuse("shape FR-03 Trailing", "a byte after the payload", Item(whole, [after]), "trailing", after)
