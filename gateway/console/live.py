"""What changed, as it happens: server-sent events (WHATWG HTML, 9.2), so that pages ask again only then."""

import asyncio
import json
import sqlite3
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool

from gateway.console.house import House
from gateway.database import NewerSchemaError, StoreUnavailableError
from gateway.journal.reader import Reader
from gateway.journal.rows import OlderSchemaError
from gateway.watch.store import Store

LOOK_EVERY_S = 2.0  # an operator waits; the stores are looked at once for all who listen
BEAT_EVERY = 8  # looks between signs of life: a proxy closes what is silent for a minute
LOOKS_MAX = 1_800  # an hour; the browser comes again
LISTENERS_MAX = 8  # of a session: pages that are open at once; in all as many as there may be connections
LISTENERS_OF_USER_MAX = 24  # three browsers full: one person logged in many times leaves room for the others


class Pulse(NamedTuple):
    """Numbers that change when what they count does. -1: it can't be looked at now."""

    journal: int
    alarms: int


class Heart:
    """Looks at the stores, at most once in LOOK_EVERY_S, whoever asks. steady_s: a clock that never goes back."""

    def __init__(self, house: House, steady_s: Callable[[], float]) -> None:
        self._house, self._steady_s = house, steady_s
        self._lock = threading.Lock()
        self._pulse, self._until_s = Pulse(-1, -1), 0.0

    def pulse(self) -> Pulse:
        """How things are. Thread-safe."""
        with self._lock:
            if self._steady_s() >= self._until_s:
                self._pulse, self._until_s = self._look(), self._steady_s() + LOOK_EVERY_S
            return self._pulse

    def _look(self) -> Pulse:
        journal = alarms = -1
        try:
            with closing(Reader(self._house.folder)) as reader:
                journal = reader.last_id()
            with closing(Store(self._house.folder)) as store:
                alarms = store.changed_ms()
        except (sqlite3.Error, OlderSchemaError, NewerSchemaError, StoreUnavailableError):
            pass  # the page that asks is told why
        return Pulse(journal, alarms)


class Listeners:
    """How many listen, by session and by user. For one event loop."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def is_room(self, session: str, user: str) -> bool:
        """Whether one more of the session, which is the user's, may listen."""
        return self._counts["session", session] < LISTENERS_MAX and self._counts["user", user] < LISTENERS_OF_USER_MAX

    @contextmanager
    def one(self, session: str, user: str) -> Iterator[bool]:
        """One more listens as long as this lasts; False: there is no room."""
        if not self.is_room(session, user):
            yield False
            return
        own = Counter([("session", session), ("user", user)])
        self._counts += own
        try:
            yield True
        finally:
            self._counts -= own  # those at 0 are none


async def events(heart: Heart, goes_on: Callable[[], bool]) -> AsyncIterator[str]:
    """One listener's stream, as long as `goes_on` and at most an hour: an event for each pulse that differs."""
    before: Pulse | None = None
    for number in range(LOOKS_MAX):
        if not goes_on():
            return
        pulse = await run_in_threadpool(heart.pulse)
        if pulse != before:
            yield f"event: changed\ndata: {json.dumps(pulse._asdict())}\n\n"
        elif number % BEAT_EVERY == 0:
            yield ":\n\n"
        before = pulse
        await asyncio.sleep(LOOK_EVERY_S)
