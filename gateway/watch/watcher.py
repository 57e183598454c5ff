"""The journal looked at again and again: what came since the last look, by the rules, into alarms.

A process of its own (`wattline gateway watch`): it reads the journal, delays no intake, and may be killed at any time.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, takewhile
from pathlib import Path
from typing import NamedTuple

from gateway.clock import Clock
from gateway.database import StoreUnavailableError
from gateway.journal.reader import Reader, Stored
from gateway.registry import Registry
from gateway.watch.came import Asked, Came, came_of
from gateway.watch.certificates import LOOK_EVERY_S as CERTIFICATES_EVERY_S
from gateway.watch.certificates import Ends
from gateway.watch.enterprises import Enterprise
from gateway.watch.looks import CONTEXT_S, Looks
from gateway.watch.meters import Told, told_of
from gateway.watch.rules import Rules
from gateway.watch.screen import SETTLE_S, Remembered, Screen, Span
from gateway.watch.screen_linkages import made_of
from gateway.watch.slots import DAY_S, SLOT_S
from gateway.watch.store import Known, Look, Progress, Store

LOOK_EVERY_S = 30.0  # within a window's quarter of an hour many times; a look at nothing costs a millisecond
RECORDS_A_LOOK = 20_000  # of a backlog at a time: three bursts of a province
DAYS_BACK_S = 7 * DAY_S  # of a terminal that had no turn for long: a watch that stood still for a holiday
RECALLED = 10_000  # newest records that are read again at a start: a province's last quarter of an hour
REPLAYS_A_LOOK = 4  # terminals whose day is held against their history: a province's in half a day


class Watched(NamedTuple):
    """What is watched, as the files say. future_s: as verify allows. sinks: their names. ends: of certificates."""

    registry: Registry
    enterprises: Sequence[Enterprise]
    rules: Rules
    future_s: int
    sinks: Sequence[str] = ()
    ends: Callable[[], Ends] = lambda: Ends({}, {})


class News(NamedTuple):
    """What is new in the journal. remarked: records whose marks changed since they came.

    unsettled_s: who was heard later than is looked at, and until when that may have been. is_full: there is more.
    """

    came: list[Came]
    remarked: list[Came]
    progress: Progress
    unsettled_s: Mapping[str, int]
    is_full: bool

    @property
    def meters(self) -> list[Told]:
        """What it tells of meters."""
        return told_of(self.came)


class Watcher:
    """Looks at the journal of a gateway. off: told of a rule that threw, and why."""

    def __init__(
        self, folder: Path, store: Store, clock: Clock, watched: Watched, off: Callable[[str, Exception], None]
    ) -> None:
        """Raises as Reader does."""
        self._store, self._clock, self._watched = store, clock, watched
        self._enterprise_of = {point.terminal: one.id for one in watched.enterprises for point in one.points}
        self._looks = Looks(folder, watched.rules, watched.future_s, off)
        self._made_of = {(one.id, each.name): made_of(each) for one in watched.enterprises for each in one.linkages}
        self._screen, self._is_stale = self._new_screen(), False
        self._replayed_last = ""  # whose turn it was last
        self._certificates_s = 0  # when they are looked at next

    def close(self) -> None:
        """Close the connections to the journal."""
        self._looks.close()

    def look(self) -> tuple[int, bool]:
        """(how many alarms are new, whether there is more to look at). Raises sqlite3.Error, StoreUnavailableError."""
        now_s = self._clock.now_ms() // 1000
        if self._is_stale:
            self._screen, self._is_stale = self._new_screen(), False
        news = _news(self._looks.reader, self._store.progress(), now_s - SETTLE_S)
        try:
            found, replayed_s = self._found(news, now_s)
            heard = {one.terminal: self._screen.heard[one.terminal] for one in news.came}
            standing = {
                key: None if one is None else (self._made_of[key], one) for key, one in self._screen.standing().items()
            }
            known = Known(news.progress, heard, replayed_s, news.meters, standing)
            return self._store.take(found, known, now_s * 1000), news.is_full
        except Exception:
            self._is_stale = True  # what the screen has of this look was not stored
            self._certificates_s = 0
            raise

    def _found(self, news: News, now_s: int) -> tuple[list[Look], dict[str, int]]:
        """(looks at all that needs one, until when which terminals were held against their history)."""
        until_s, since_s = now_s - SETTLE_S, self._replays_since_s(news.came)
        suspects = self._screen.suspects(news.came, news.remarked)
        found = self._telling(chain(self._linkages(suspects.linkages, until_s), self._points(suspects.points)))
        found += self._looks.sinks(self._watched.sinks, now_s)
        found += self._looks.certificates(self._ends(now_s), now_s)
        spans = self._with_later_learning(suspects.service, news.meters)
        if news.is_full:  # what is known of now is not all that there is
            return [*found, *self._service(spans, until_s, news.meters)], since_s
        for name, span in self._screen.silent(now_s, news.unsettled_s).items():
            spans[name] = span.with_(*spans.get(name, span))
        replayed_s, looks = self._replays(since_s, until_s)
        return [*found, *self._service(spans, now_s, news.meters), *looks], since_s | replayed_s

    def _telling(self, looks: Iterable[Look]) -> list[Look]:
        """Without those that found nothing of a subject that never had an alarm: they change nothing."""
        known = self._store.subjects()
        return [one for one in looks if one.found or (one.enterprise, one.subject) in known]

    def _linkages(self, suspects: Mapping[tuple[str, str], Span], until_s: int) -> Iterator[Look]:
        """The time around each, as far as it can change what is found."""
        kept_s = self._looks.kept_from_s()
        for enterprise in self._watched.enterprises:
            some = [one for one in enterprise.linkages if (enterprise.id, one.name) in suspects]
            if not some:
                continue
            spans = [suspects[enterprise.id, one.name] for one in some]
            newest_s = max(span.to_s for span in spans)
            known_s = max(until_s // SLOT_S * SLOT_S, self._screen.newest_s(some))
            from_s = max(min(span.from_s for span in spans) - CONTEXT_S, kept_s)
            to_s = min(newest_s + CONTEXT_S, known_s)
            if from_s >= to_s:
                continue
            for one, look, standing in self._looks.linkages(enterprise, some, from_s, to_s):
                self._screen.looked(enterprise, one, standing)
                yield look

    def _points(self, suspects: Mapping[str, Span]) -> Iterator[Look]:
        """As far around each as a window may leave too little of a run for a finding: two logs tell of one time."""
        run_s, kept_s = self._looks.run_s, self._looks.kept_from_s()
        for name, span in suspects.items():
            terminal = self._watched.registry.get(name)
            if terminal is not None:
                from_s = max(span.from_s - run_s, min(span.from_s, kept_s))
                yield from self._looks.points(self._of(name), terminal, from_s, span.to_s + run_s)

    def _with_later_learning(self, suspects: Mapping[str, Span], meters: Sequence[Told]) -> dict[str, Span]:
        """The same; what came late of a meter may say another thing of what its terminal learnt after it."""
        found = dict(suspects)
        for name in {one.terminal for one in meters}:
            newest_s = max(one.at_s for one in [*self._store.meters(name), *meters] if one.terminal == name)
            found[name] = found[name].with_(newest_s, newest_s + SLOT_S)
        return found

    def _service(self, suspects: Mapping[str, Span], until_s: int, meters: Sequence[Told]) -> Iterator[Look]:
        for name, span in suspects.items():
            terminal = self._watched.registry.get(name)
            if terminal is not None:
                told = [*self._store.meters(name), *(one for one in meters if one.terminal == name)]
                # a silence is looked at as a whole, or what it was is not seen
                from_s = self._store.begin_s(self._of(name), name, "silent", span.from_s - SLOT_S, span.to_s)
                begin_s = span.from_s if from_s is None else min(from_s, span.from_s)
                yield from self._looks.service(self._of(name), terminal, (begin_s, span.to_s), until_s, told)

    def _ends(self, now_s: int) -> Iterator[tuple[str, str, int]]:
        """(enterprise, subject, when its certificate ends), each half hour."""
        if 0 < self._certificates_s - now_s <= CERTIFICATES_EVERY_S:  # further away, the clock was set back
            return
        self._certificates_s = now_s + CERTIFICATES_EVERY_S
        ends = self._watched.ends()
        yield from (("", subject, end_s) for subject, end_s in ends.others.items())
        for terminal, end_s in ends.terminals.items():
            if self._watched.registry.get(terminal) is not None:
                yield self._of(terminal), terminal, end_s

    def _replays_since_s(self, came: Sequence[Came]) -> dict[str, int]:
        """Terminals with windows of a time that had its turn already: from when on they have another."""
        known_s, since_s = self._store.replayed_s(), dict[str, int]()
        for one in came:
            if one.readings and one.from_s < since_s.get(one.terminal, known_s.get(one.terminal, 0)):
                since_s[one.terminal] = one.from_s
        return since_s

    def _replays(self, since_s: Mapping[str, int], until_s: int) -> tuple[dict[str, int], list[Look]]:
        """A few terminals' newest day, held against their history; in a day all terminals get their turn.

        They take turns by id, so that none whose windows always come late is in the way of the others.
        """
        known_s, looks, done = self._store.replayed_s() | dict(since_s), list[Look](), dict[str, int]()
        everyone = [one for one in self._watched.registry.all() if one.revoked_s is None]
        for terminal in sorted(everyone, key=lambda one: (one.id <= self._replayed_last, one.id)):
            from_s = known_s.get(terminal.id, 0)
            if len(done) < REPLAYS_A_LOOK and until_s - from_s >= DAY_S:
                from_s = max(from_s, until_s - DAYS_BACK_S) // SLOT_S * SLOT_S
                to_s = until_s // SLOT_S * SLOT_S
                looks += self._looks.replays(self._of(terminal.id), terminal, from_s, to_s)
                done[terminal.id] = to_s
                self._replayed_last = terminal.id
        return done, looks

    def _of(self, terminal: str) -> str:
        """The enterprise that a terminal belongs to; "": none."""
        return self._enterprise_of.get(terminal, "")

    def _new_screen(self) -> Screen:
        """As it was at the end of the last look: by what was kept, and by the newest of what was looked at."""
        last = self._store.progress().record
        records = self._looks.reader.records_after(max(last - RECALLED, 0), min(last, RECALLED))
        windows = [one for one in _came(self._looks.reader, records) if one.readings]
        known = Remembered(self._store.heard(), self._store.standing(self._made_of), windows)
        return Screen(self._watched.rules, self._watched.registry, self._watched.enterprises, known)


def run(
    watcher: Watcher,
    wait: Callable[[float], bool],
    told: Callable[[int], None],
    looked: Callable[[], object],
    failed: Callable[[Exception], None],
) -> None:
    """Look until `wait`, which is called with s, says to stop.

    told: with how many alarms are new, where some are. looked: after each look. failed: with why a file can't be used;
    it is tried again.
    """
    stop = False
    while not stop:
        more = False
        try:
            begun, more = watcher.look()
            if begun:
                told(begun)
            looked()
        except (sqlite3.Error, StoreUnavailableError) as error:
            failed(error)
        stop = wait(0.0 if more else LOOK_EVERY_S)


def _news(reader: Reader, before: Progress, until_s: int) -> News:
    """What came, was placed or marked anew after `before`, of what was accepted until then."""
    last = reader.first_id((until_s + 1) * 1000) - 1
    records = [one for one in reader.records_after(before.record, RECORDS_A_LOOK) if one.id <= last]
    placed = _settled(reader.placements_after(before.placement, RECORDS_A_LOOK), last)
    remarked = _settled(reader.remarked_after(before.remark, RECORDS_A_LOOK), last)
    progress = Progress(
        records[-1].id if records else before.record,
        placed[-1][0] if placed else before.placement,
        remarked[-1][0] if remarked else before.remark,
    )
    came = _came(reader, [*records, *(window for _, window in placed)])
    marks_changed = _came(reader, [record for _, record in remarked])
    heard_s = {one.terminal: until_s + SETTLE_S for one in reader.records_after(last, RECORDS_A_LOOK)}
    is_full = max(len(records), len(placed), len(remarked)) >= RECORDS_A_LOOK
    return News(came, marks_changed, progress, heard_s, is_full)


def _settled(some: list[tuple[int, Stored]], last: int) -> list[tuple[int, Stored]]:
    """In their own order, which is not that of the records: what comes after one that has to wait waits with it."""
    return list(takewhile(lambda one: one[1].id <= last, some))


def _came(reader: Reader, stored: Sequence[Stored]) -> list[Came]:
    asked = [Asked(one.terminal, one.start_s, one.marks, one.epoch) for one in stored]
    return list(came_of(asked, reader.decoded([one.id for one in stored])))
