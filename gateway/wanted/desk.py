"""What is wanted of terminals, at work in the running gateway: learns from what comes in, answers who is heard.

One thread: the pipeline's. `learn` before a batch is acknowledged, `answer` with its acks, `step` between batches.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from sqlite3 import Connection

from cext.decoder import Columns
from gateway import desk
from gateway.database import StoreUnavailableError
from gateway.downward import Down, Heard, heard_of, said_by, sealed
from gateway.journal.journal import REFUSED, REPEATED, Journal
from gateway.registry import Terminal
from gateway.wanted import configurations, requests
from gateway.wanted.configurations import Version
from gateway.wanted.find import Finder
from gateway.wanted.heard import GONE_EVENTS, gone_by
from gateway.wanted.missing import Missing, missing_of
from gateway.wanted.ranges import Range, both, newest
from gateway.wanted.requests import Fate, Request
from gateway.wanted.store import Store
from protocol import limits
from protocol.host import orders

TERMINALS_A_LOOK = 500  # whose rows are looked at whether they are settled: some 20 ms; the others at the next look

_CONFIG_EVENTS = frozenset(configurations.STATES)
_EVENTS = _CONFIG_EVENTS | GONE_EVENTS


class Desk(desk.Desk):
    """Made with the journal's writer, which knows what did not come."""

    name = "wanted"

    def __init__(self, folder: Path, journal: Journal, around: desk.Around) -> None:
        """Raises StoreUnavailableError, NewerSchemaError."""
        super().__init__(Store(folder), around)
        self._journal = journal
        self._finder = Finder(journal)
        self._open: dict[str, list[Request]] = {}
        self._pending: dict[str, Version] = {}
        self._due_ms: dict[str, int] = {}  # when something of it is to go down
        self._turn = 0

    def learn(self, names: Sequence[str], columns: Columns, outcomes: bytes) -> None:
        """Keep what a batch says of requests and configurations, durably; names[i] sent frame i.

        What came before is learnt again: the gateway may have died between the journal's commit and this.
        Raises StoreUnavailableError: to be called again.
        """
        codes = columns.records.code.tobytes()
        if _EVENTS.isdisjoint(codes) and REFUSED not in outcomes:
            return
        events = [row for row, code in enumerate(codes) if code in _EVENTS and 0 < outcomes[row] <= REPEATED]
        refused = [row for row, outcome in enumerate(outcomes) if outcome == REFUSED]
        if not events and not refused:
            return
        said = [said_by(names, columns, row, self._clock.now_ms()) for row in events]
        states = []
        with self._store.writing() as connection:
            for one in said:
                if one.code in _CONFIG_EVENTS:
                    states.append(configurations.hear(connection, one))
                else:
                    gone = gone_by(one.code, one.values)
                    requests.explain(connection, one.terminal, one.epoch, gone, requests.GONE)
            for (name, epoch), ranges in _by_log(names, columns, refused).items():
                requests.explain(connection, name, epoch, ranges, requests.REFUSED)
        self._stale, self._look_at_s = True, 0.0  # within a second
        for state in filter(None, states):
            self._metrics.configurations.labels(state).inc()

    def answer(self, terminals: Sequence[Terminal | None], columns: Columns) -> list[Down]:
        """What goes down to the terminals that this batch heard; terminals[i] sent frame i. Noted before it is sent."""
        if not self._due_ms:
            return []
        now_ms = self._clock.now_ms()
        due_ms = self._due_ms
        heard = heard_of(terminals, columns, lambda name: due_ms.get(name, now_ms + 1) <= now_ms)
        if not heard:
            return []
        found: list[Down] = []
        try:
            with self._store.writing() as connection:
                for one in heard.values():
                    found += self._request(connection, one, now_ms)
                    found += self._configuration(connection, one, now_ms)
        except StoreUnavailableError as error:
            self._fail(error)
            return []
        for name in heard:
            self._note_due(name)
        return found

    # --- what goes down

    def _request(self, connection: Connection, heard: Heard, now_ms: int) -> list[Down]:
        """One request for what is due and missing of the log that was heard. Its rows are noted, or settled."""
        name, rows, wanted = heard.terminal.id, list[tuple[Request, Missing | None]](), list[Range]()
        for row in self._open.get(name, ()):
            if row.epoch != heard.epoch or row.due_ms > now_ms:
                rows.append((row, None))
                continue
            found = missing_of(connection, self._journal, row)
            if found.ranges and row.tries < requests.TRIES_MAX:
                rows.append((row, found))
                wanted += found.ranges
            else:
                self._close(connection, row, found, now_ms)
        wanted = newest(wanted, limits.ACK_RANGES_MAX, requests.NUMBERS_MAX)
        self._open[name] = [
            row if found is None else _noted(connection, row, found, wanted, now_ms) for row, found in rows
        ]
        if not wanted:
            return []
        payload = orders.request_payload(heard.epoch, wanted, heard.echo)
        return [Down(name, sealed(heard, payload), "request")]

    def _configuration(self, connection: Connection, heard: Heard, now_ms: int) -> list[Down]:
        one = self._pending.get(heard.terminal.id)
        if one is None or one.due_ms > now_ms:
            return []
        self._pending[one.terminal] = configurations.send(connection, one, now_ms)
        payload = orders.configuration_payload(one.version, one.document, heard.echo)
        return [Down(one.terminal, sealed(heard, payload), "configuration")]

    # --- between batches

    def _see(self) -> None:
        """What the store holds, as of now."""
        opened: defaultdict[str, list[Request]] = defaultdict(list)
        with self._store.reading() as connection:
            for row in requests.open_rows(connection):
                opened[row.terminal].append(row)
            self._pending = {one.terminal: one for one in configurations.pending(connection)}
            self._finder.explained = requests.explained_numbers(connection)
        self._open, self._stale, self._due_ms = dict(opened), False, {}
        for name in {*self._open, *self._pending}:
            self._note_due(name)
        self._metrics.configurations_pending.set(len(self._pending))

    def _look(self, now_ms: int) -> None:
        """Settle what came or is given up; ask for what did not come."""
        names = sorted(self._open)
        some = names[self._turn : self._turn + TERMINALS_A_LOOK]
        self._turn = 0 if self._turn + len(some) >= len(names) else self._turn + len(some)
        with self._store.writing() as connection:
            for name in some:
                for row in self._open[name]:
                    found = missing_of(connection, self._journal, row)
                    if not found.ranges or (row.tries >= requests.TRIES_MAX and row.due_ms <= now_ms):
                        self._close(connection, row, found, now_ms)
            opened = {name: len(rows) for name, rows in self._open.items()}
            asks = self._finder.asks(connection, opened, now_ms)
            requests.ask(connection, asks, "gateway", now_ms)
            requests.forget_oldest(connection)
        for terminal in sorted({one.terminal for one in asks}):
            numbers = sum(one.last - one.first + 1 for one in asks if one.terminal == terminal)
            self._log.warning("records_missing", alarm=True, terminal=terminal, records=numbers)
            self._metrics.records_asked.labels("asked").inc(numbers)
        self._metrics.records_absent.set(self._finder.absent)
        self._see()

    def _close(self, connection: Connection, row: Request, found: Missing, now_ms: int) -> None:
        fate = Fate(found.gone, found.refused, found.numbers)
        requests.close(connection, row, fate, now_ms)
        came = row.numbers - sum(fate)
        counts = {requests.CAME: came, requests.GONE: fate.gone, requests.REFUSED: fate.refused}
        for outcome, count in {**counts, requests.GIVEN_UP: fate.missing}.items():
            self._metrics.records_asked.labels(outcome).inc(count)
        self._log.info("request_settled", terminal=row.terminal, first=row.first, last=row.last, outcome=fate.outcome)

    def _note_due(self, name: str) -> None:
        """When something of the terminal is to go down next."""
        due = [row.due_ms for row in self._open.get(name, ())]
        if name in self._pending:
            due.append(self._pending[name].due_ms)
        if due:
            self._due_ms[name] = min(due)
        else:
            self._due_ms.pop(name, None)


def _noted(connection: Connection, row: Request, found: Missing, wanted: list[Range], now_ms: int) -> Request:
    """The row once a request for `wanted` goes down."""
    if both(found.ranges, wanted):
        return requests.send(connection, row, found.numbers, now_ms)
    return requests.postpone(connection, row, now_ms)


def _by_log(names: Sequence[str], columns: Columns, rows: Sequence[int]) -> dict[tuple[str, int], list[Range]]:
    """The numbers of these records, by terminal and epoch."""
    found: defaultdict[tuple[str, int], list[Range]] = defaultdict(list)
    for row in rows:
        frame, seq = columns.records.frame[row], columns.records.seq[row]
        found[names[frame], columns.frames.epoch[frame]].append((seq, seq))
    return found
