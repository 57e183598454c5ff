# The key by which the terminal and the gateway know each other, and how another one takes its place without a visit
# (protocol/SPEC.md, FR-91 to FR-94).
#
# Files in the data folder
#   key        the key in use, as a technician laid it or the last change left it; any application reads it
#   key_next   the next key, agreed on and not used yet (small_file.py, the struct below)
#
# What always holds
#   1. `key` is replaced as a whole, by what `key_next` holds, and only when the gateway has spoken under that: a power
#      cut at any moment leaves the old one or the new one, and the gateway has both.
#   2. `key_next` counts for the key that it was agreed on under: a technician's new key ends it.
import json
import os
import struct

from protocol import down, limits, mac, record
from terminal import config, small_file

_FORM = "<8sB32s6s32sB"  # of the key in use: its mark; the next one: generation, secret, the gateway's point, x, untold
_MARK = b"wattline key in use"
_MARK_BYTES = 8
_PIECES = 8  # of 260, some milliseconds each on a board, that are done a second: half a minute for a key
_REFUSALS_MAX = 16  # told a start


class Keys:
    """`key` seals, `known` open: protocol.mac.Key by generation. `board` README.md's contract; `say` prints a line."""

    def __init__(self, board, terminal: str, say) -> None:  # type: ignore[no-untyped-def]
        """Raises ConfigError, without the secret."""
        self._board = board
        self._terminal = terminal
        self._say = say
        self._path = board.data_dir + "/key"
        self.key = config.load_key(self._path)
        self.known = {self.key.generation: self.key}
        self._event = None
        self._refused: "list[tuple[int, int]]" = []
        self._offer: "down.KeyOffer | None" = None  # of which the key is being computed
        self._work = None
        self._next = self._stored()  # type: ignore[no-untyped-call]
        if self._next is not None:
            self.known[self._next[1]] = mac.Key(self._next[2], self._next[1])

    def tell(self, event) -> None:  # type: ignore[no-untyped-def]
        """Write the event of a key that was drawn before this start, if a power cut kept it from being told;
        `event(code, point, values)` writes one, now and later."""
        self._event = event
        if self._next is not None and self._next[5]:
            self._told()

    def heard(self, generation: int) -> None:
        """The gateway has spoken under this key: where it is the one in use, none before it counts any more."""
        if generation == self.key.generation:
            for one in list(self.known):
                if one < generation:
                    del self.known[one]

    def take(self, found) -> None:  # type: ignore[no-untyped-def]
        """A down.KeyOffer or down.KeyUse, authentic and fresh."""
        if isinstance(found, down.KeyOffer):
            self._offered(found)
        elif self._next is not None and found.generation == self._next[1]:
            self._change_over()

    def due(self) -> None:
        """Each second: some of the work on the next key."""
        offer = self._offer
        if offer is None:
            return
        try:
            if self._work is None:
                self._work = self._begin(offer)
            for _ in range(_PIECES):
                found = next(self._work)  # type: ignore[call-overload]
                if found is not None:
                    self._offer = self._work = None
                    self._store(offer, *found)
                    return
        except (ValueError, OSError, MemoryError) as error:
            self._offer = self._work = None
            reasons = {ValueError: record.KEY_POINT, MemoryError: record.KEY_MEMORY}
            self._refuse(offer.offered, reasons.get(type(error), record.KEY_NOT_STORED))

    # --- inside

    def _offered(self, found: down.KeyOffer) -> None:
        if found.offered <= self.key.generation:
            self._refuse(found.offered, record.KEY_STALE)
        elif self._next is not None and self._is_drawn(found):
            self._told()
        elif self._offer is None or (self._offer.offered, self._offer.point) != (found.offered, found.point):
            self._offer, self._work = found, None

    def _begin(self, offer: down.KeyOffer):  # type: ignore[no-untyped-def]
        from terminal import key_draw  # 4 KB of heap that a terminal need not have before

        drawn = self._board.random_bytes(key_draw.DRAWN_BYTES)
        return key_draw.steps(self.key, self._terminal, offer.offered, offer.point, drawn)

    def _is_drawn(self, found: down.KeyOffer) -> bool:
        from terminal import key_draw

        return self._next[1] == found.offered and self._next[3] == key_draw.name_of(found.point)

    def _store(self, offer: down.KeyOffer, secret: bytes, name: bytes, x: bytes) -> None:
        self._keep((self._mark(), offer.offered, secret, name, x, 1))
        self.known = {self.key.generation: self.key, offer.offered: mac.Key(secret, offer.offered)}
        self._say("key: generation", offer.offered, "is agreed on")
        self._told()

    def _told(self) -> None:
        """Say what was drawn; after a power cut perhaps once more."""
        from terminal import key_draw

        mark, generation, secret, name, x, untold = self._next
        self._event(record.KEY_DRAWN, None, [generation] + key_draw.told(name, x))  # type: ignore[misc]
        if untold:
            try:
                self._keep((mark, generation, secret, name, x, 0))
            except OSError as error:
                self._say("key: not noted as told:", error)

    def _change_over(self) -> None:
        _, generation, secret, _, _, _ = self._next
        try:
            small_file.replace(self._path, json.dumps({"generation": generation, "secret": secret.hex()}).encode())
        except OSError as error:  # the gateway says it again
            self._say("key: generation", generation, "not stored:", error)
            return
        self.key = self.known[generation]
        self._next = self._offer = self._work = None  # what is being computed is of the key before
        self._say("key: generation", generation, "in use")
        try:
            os.remove(self._path + "_next")
        except OSError:
            return  # its mark is of the key before: it counts no more

    def _stored(self):  # type: ignore[no-untyped-def]
        """What `key_next` holds, if it is of the key in use."""
        data = small_file.read(self._path + "_next")
        if data is None or len(data) != struct.calcsize(_FORM):
            return None
        found = struct.unpack(_FORM, data)
        fits = found[0] == self._mark() and self.key.generation < found[1] <= limits.GENERATION_MAX
        return found if fits else None

    def _keep(self, found) -> None:  # type: ignore[no-untyped-def]
        small_file.write(self._path + "_next", struct.pack(_FORM, *found))
        self._next = found

    def _mark(self) -> bytes:
        return self.key.mac([_MARK])[:_MARK_BYTES]

    def _refuse(self, generation: int, reason: int) -> None:
        if (generation, reason) in self._refused or len(self._refused) >= _REFUSALS_MAX:
            return
        self._refused.append((generation, reason))
        self._say("key: generation", generation, "refused, reason", reason)
        self._event(record.KEY_REFUSED, None, [generation, reason, self.key.generation])  # type: ignore[misc]
