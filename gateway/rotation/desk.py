"""Changes of keys at work in the running gateway: offers to who is heard, keys agreed on, the old ones' end."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from sqlite3 import Connection

from cext.decoder import Columns, KeyState, seal_payload
from gateway import desk
from gateway.database import StoreUnavailableError
from gateway.downward import Down, Heard, heard_of, sealed
from gateway.journal.journal import REPEATED
from gateway.registry import Registry, Terminal
from gateway.rotation import agree, changes, keyring
from gateway.rotation.changes import Change
from gateway.rotation.keyring import FACTOR, KEY
from gateway.rotation.store import Store
from protocol import agreement
from protocol.host import orders
from protocol.record import KEY_DRAWN, KEY_REFUSED

OFFER_AGAIN_AFTER = 2  # times that a key was said to be used: it may have lost its half, and draws another

_EVENTS = frozenset({KEY_DRAWN, KEY_REFUSED})


class Desk(desk.Desk):
    """Made with the gateway's folder; commands write to its store. It has the registry that counts."""

    name = "rotation"

    def __init__(self, folder: Path, registry: Registry, around: desk.Around) -> None:
        """registry: as terminals.toml gives it. Raises StoreUnavailableError, NewerSchemaError, OSError."""
        super().__init__(Store(folder), around)
        self._laid = self._registry = registry
        self._open: dict[str, Change] = {}
        self._laid_above: dict[str, int] = {}  # technicians' generations above what was agreed on, not used yet
        self._unread: dict[str, dict[int, str]] = {}  # keys that count and can't be opened, and why
        self._end_ms: int | None = None  # when the next key's time is over
        self._see()

    @property
    def registry(self) -> Registry:
        """The terminals with the keys that count."""
        return self._registry

    def take(self, registry: Registry) -> None:
        """terminals.toml was read anew. Raises StoreUnavailableError: what was before counts on."""
        before, self._laid = self._laid, registry
        try:
            self._see()
        except StoreUnavailableError:
            self._laid = before
            raise

    def learn(self, names: Sequence[str], columns: Columns, outcomes: bytes) -> None:
        """What terminals say of keys, and by which they seal."""
        if not self._open and not self._laid_above:
            return
        codes = columns.records.code.tobytes()
        rows = [row for row, code in enumerate(codes) if code in _EVENTS and 0 < outcomes[row] <= REPEATED]
        rows = [row for row in rows if names[columns.records.frame[row]] in self._open]
        used = [name for number, name in enumerate(names) if self._is_used(name, columns, number)]
        laid = [name for number, name in enumerate(names) if self._uses_laid(name, columns, number)]
        if not rows and not used and not laid:
            return
        with self._store.writing() as connection:
            for row in sorted(rows, key=lambda row: columns.records.seq[row]):
                self._hear(connection, names, columns, row)
            for name in set(used):
                self._confirm(connection, name)
            for name in set(laid):
                place = name, self._laid_above[name]
                changes.retire(connection, place, self._generations(name), self._clock.now_ms())
        self._see_again({names[columns.records.frame[row]] for row in rows}.union(used, laid))

    def answer(self, terminals: Sequence[Terminal | None], columns: Columns) -> list[Down]:
        """Offers, and that keys are to be used."""
        if not self._open:
            return []
        now_ms, opened = self._clock.now_ms(), self._open
        heard = heard_of(terminals, columns, lambda name: name in opened and opened[name].due_ms <= now_ms)
        found: list[Down] = []
        try:
            if heard:
                with self._store.writing() as connection:
                    for one in heard.values():
                        found += self._readable_orders(connection, one, now_ms)
        except StoreUnavailableError as error:
            self._fail(error)
            return []
        return found

    # --- inside

    def _readable_orders(self, connection: Connection, heard: Heard, now_ms: int) -> list[Down]:
        """Its orders; none where a secret of its own can't be read: that is its own fault, and is tried again."""
        name = heard.terminal.id
        try:
            return self._orders(connection, heard, now_ms)
        except ValueError as error:
            self._open[name] = self._open[name]._replace(due_ms=now_ms + changes.AGAIN_MS)
            self._metrics.down.labels("key_offer", "dropped").inc()
            self._log.error("key_not_offered", terminal=name, error=str(error))
            return []

    def _orders(self, connection: Connection, heard: Heard, now_ms: int) -> list[Down]:
        """An offer of a key; or that it is to be used, and after a while the offer too."""
        name, found = heard.terminal.id, list[Down]()
        one = changes.of_terminal(connection, name)
        if one is None or one.state not in changes.OPEN or self._is_replaced(connection, name, heard.generation):
            return []  # withdrawn meanwhile; or not of who has the key in use
        if one.state == changes.AGREED:
            secret = keyring.read(connection, name, one.generation, KEY, self._laid.wrapping) or b""
            use = seal_payload(KeyState(secret), one.generation, name, orders.key_use_payload(heard.echo))
            found.append(Down(name, use, "key_use"))
        if one.state == changes.ASKED or one.sent >= OFFER_AGAIN_AFTER:
            point = agree.point_of(self._factor(connection, one, now_ms))
            payload = orders.key_offer_payload(one.generation, point, heard.echo)
            found.append(Down(name, sealed(heard, payload), "key_offer"))
        self._open[name] = changes.sent(one, now_ms)
        changes.put(connection, self._open[name])
        return found

    def _factor(self, connection: Connection, one: Change, now_ms: int) -> bytes:
        """Ours for this change: one, until it is done."""
        place, wraps = (one.terminal, one.generation, FACTOR), self._laid.wrapping
        found = keyring.read(connection, *place, wraps)
        if found is None:
            found = agree.draw()
            keyring.keep(connection, place, found, wraps, now_ms)
        return found

    def _hear(self, connection: Connection, names: Sequence[str], columns: Columns, row: int) -> None:
        """Take in an event about the change of a terminal's key."""
        records = columns.records
        frame, first = records.frame[row], records.first[row]
        values = columns.integers[first : first + records.count[row]].tolist()
        one = changes.of_terminal(connection, names[frame])
        if one is None or one.state not in changes.OPEN or not values or values[0] != one.generation:
            return
        word, in_use = (columns.frames.epoch[frame], records.seq[row]), columns.frames.generation[frame]
        if one.said_epoch == word[0] and (one.said_seq or 0) > word[1]:
            return  # it has said another since
        if self._is_replaced(connection, one.terminal, in_use):
            return
        if records.code[row] == KEY_DRAWN:
            self._agree(connection, one, values[1:], word, in_use)
        elif len(values) > 2 and (one.state == changes.ASKED or values[2] > one.generation):
            newest = max(one.newest, min(max(values[2], 0), 255))
            refused = one._replace(state=changes.REFUSED, reason=values[1], newest=newest)
            self._put(connection, refused, word)

    def _agree(
        self, connection: Connection, one: Change, values: Sequence[int], word: tuple[int, int], in_use: int
    ) -> None:
        """The terminal has drawn its half: the next key is computed, and durable with this."""
        wraps, now_ms = self._laid.wrapping, self._clock.now_ms()
        terminal, x = self._laid.get(one.terminal), agreement.x_of(list(values[1:]))
        if terminal is None or x is None or in_use >= one.generation:
            return  # of the last: told once more, under the key that came of it
        try:
            factor = keyring.read(connection, one.terminal, one.generation, FACTOR, wraps)
            if factor is None or values[0] != agreement.number_of(agree.point_of(factor)):
                return  # it answers what we offered before we lost that
            old = keyring.secret_of(connection, terminal, in_use, wraps)
            secret = agree.next_secret(factor, x, old, one.terminal, one.generation)
            before = keyring.read(connection, one.terminal, one.generation, KEY, wraps)
        except (OSError, ValueError) as error:
            self._log.error("key_not_agreed", terminal=one.terminal, error=str(error))
            return
        if before not in {None, secret}:
            self._begin_again(connection, one, word)
            return
        keyring.keep(connection, (one.terminal, one.generation, KEY), secret, wraps, now_ms)
        self._put(connection, one._replace(state=changes.AGREED, sent=0, due_ms=0), word)

    def _begin_again(self, connection: Connection, one: Change, word: tuple[int, int]) -> None:
        """The terminal told another half, having lost the first: the next generation is agreed on in its place.

        What was agreed on stays: if this word was old and came late, the terminal may use that key already.
        """
        if one.generation < changes.ROTATED_MAX:
            keyring.forget_factors(connection, one.terminal)
            again = one._replace(generation=one.generation + 1, state=changes.ASKED, sent=0, due_ms=0)
            self._put(connection, again, word)

    def _put(self, connection: Connection, one: Change, word: tuple[int, int]) -> None:
        epoch, seq = word
        changes.put(connection, one._replace(said_epoch=epoch, said_seq=seq, changed_ms=self._clock.now_ms()))
        self._tell(one)

    def _is_used(self, name: str, columns: Columns, number: int) -> bool:
        """Whether this frame is sealed by the key that was agreed on."""
        one = self._open.get(name)
        return one is not None and one.state == changes.AGREED and columns.frames.generation[number] == one.generation

    def _uses_laid(self, name: str, columns: Columns, number: int) -> bool:
        """Whether this frame is sealed by the key that a technician has laid above what was agreed on."""
        return self._laid_above.get(name) == columns.frames.generation[number]

    def _generations(self, name: str) -> list[int]:
        """Those that count, also where the key can't be opened."""
        terminal = self._registry.get(name)
        return [*(terminal.states if terminal is not None else ()), *self._unread.get(name, ())]

    def _is_replaced(self, connection: Connection, name: str, generation: int) -> bool:
        """Whether a later key is in use, or laid by a technician. Readings by this one are taken for a while.

        But it may be of an old backup: who has it alone must not agree on the next key in the terminal's place, nor end
        the key of a board that is still on its way there.
        """
        terminal = self._laid.get(name)
        laid = max(terminal.key_files or terminal.states, default=0) if terminal is not None else 0
        later = max(self._generations(name), default=0)
        return generation < laid or (generation < later and keyring.is_replaced(connection, name, generation))

    def _confirm(self, connection: Connection, name: str) -> None:
        self._tell(changes.confirm(connection, self._open[name], self._generations(name), self._clock.now_ms()))
        keyring.forget_factors(connection, name)

    def _see(self) -> None:
        """And the registry that follows."""
        now_ms = self._clock.now_ms()
        with self._store.reading() as connection:
            found = list(keyring.over(self._laid, connection, now_ms))
            self._registry = self._laid.replaced(one.terminal for one in found)
            self._note_unread({name: {} for name in self._unread} | {one.terminal.id: one.unread for one in found})
            self._open = {one.terminal: one for one in changes.every(connection) if one.state in changes.OPEN}
            self._note_laid(connection, keyring.newest(connection))
            self._end_ms = keyring.next_end_ms(connection, now_ms)
        self._stale = False

    def _see_again(self, names: set[str]) -> None:
        """The same, of terminals whose rows we have changed: all are too many to be looked at for each."""
        now_ms = self._clock.now_ms()
        try:
            with self._store.reading() as connection:
                found = list(keyring.changed(self._laid, connection, now_ms, names))
                self._registry = self._registry.replaced(one.terminal for one in found)
                self._note_unread({one.terminal.id: one.unread for one in found})
                for name in names:
                    one = changes.of_terminal(connection, name)
                    self._open.pop(name, None)
                    if one is not None and one.state in changes.OPEN:
                        self._open[name] = one
                self._note_laid(connection, names)
                self._end_ms = keyring.next_end_ms(connection, now_ms)
        except StoreUnavailableError as error:  # it is written: seen within a second
            self._fail(error)

    def _note_unread(self, found: dict[str, dict[int, str]]) -> None:
        """Keys that can't be opened, of these terminals: named once, and counted while they are so."""
        for name, unread in found.items():
            for generation in unread.keys() - self._unread.get(name, {}).keys():
                self._log.error("key_unread", terminal=name, generation=generation, error=unread[generation])
        known = self._unread | found
        self._unread = {name: unread for name, unread in known.items() if unread}
        self._metrics.keys_unread.set(sum(map(len, self._unread.values())))

    def _note_laid(self, connection: Connection, names: Iterable[str]) -> None:
        for name in names:
            laid = keyring.laid_above(connection, self._laid, name)
            if laid is None:
                self._laid_above.pop(name, None)
            else:
                self._laid_above[name] = laid

    def _look(self, now_ms: int) -> None:
        """End the time of keys that were replaced."""
        if self._end_ms is not None and self._end_ms <= now_ms:
            self._see()

    def _tell(self, one: Change) -> None:
        self._log.info("key_change", terminal=one.terminal, generation=one.generation, state=one.state)
