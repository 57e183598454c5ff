"""Whom was told what, durably, in alarms.sqlite3 beside the alarms: changes, the message under way, how a channel is.

A message is committed with its id before it is sent, and stays until it is confirmed: a kill in between sends it again
under the same id. A channel has one under way; what follows waits as changes, in their order.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from gateway.database import transaction
from gateway.watch.changes import ENDS_SOONEST_S, Noted, change_of
from gateway.watch.dispatch.channels import ChannelEntry, MaintenanceEntry
from gateway.watch.dispatch.message import Document, Message, document
from gateway.watch.dispatch.sender import REFUSED
from gateway.watch.store import ROW, Row, open_file, row_of

CHANGES_MAX = 10_000  # kept for channels that are down: days of a province's; half a KiB each
DIGEST_MAX = 200  # changes of one message: some 100 KiB
REFUSED_MAX = 5  # tries of a message that the channel refuses as such: then the others get their turn
DETAIL_CHARS_MAX = 500
TOLD, GIVEN_UP, WAITING, FAILING = "told", "given_up", "waiting", "failing"
_TO_NOTE = (
    f"SELECT noted_kind, noted_end_s, {ROW} FROM alarms WHERE is_final = 0 AND (noted_kind != kind"  # noqa: S608
    " OR state IN ('closed', 'withdrawn') OR (noted_end_s IS NOT to_s AND to_s <= ?)) ORDER BY id"
)


class Standing(NamedTuple):
    """How a channel is. reason: "": well. waiting: changes that it is still to be told, the message under way too."""

    told: int = 0
    digests: int = 0
    given_up: int = 0
    lost: int = 0
    reason: str = ""
    detail: str = ""
    since_ms: int | None = None
    waiting: int = 0


class Fate(NamedTuple):
    """What became of a change of an alarm at a channel: TOLD or GIVEN_UP at that time, WAITING; of GIVEN_UP and FAILING
    why.
    """

    change: str
    channel: str
    state: str
    at_ms: int | None = None
    reason: str = ""
    detail: str = ""


class Post:
    """The file, for one thread. Every method raises StoreUnavailableError where the disk refuses."""

    def __init__(self, folder: Path) -> None:
        """Open or make it. Raises StoreUnavailableError, NewerSchemaError."""
        self._connection = open_file(folder)
        (self._identity,) = self._connection.execute("SELECT name FROM identity").fetchone()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def begin(self, names: Iterable[str], now_ms: int) -> None:
        """Channels that are not known yet are told of what changes from here on."""
        newest = "(SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'changes')"
        query = f"INSERT OR IGNORE INTO channels (name, reached, since_ms) VALUES (?, {newest}, ?)"  # noqa: S608
        with transaction(self._connection):
            self._connection.executemany(query, [(name, now_ms) for name in names])

    def note(self, maintenance: Sequence[MaintenanceEntry], now_ms: int) -> int:
        """Note what changed of alarms since the last time; how many changes."""
        now_s, count = now_ms // 1000, 0
        with transaction(self._connection):
            for kind, end_s, *columns in self._connection.execute(_TO_NOTE, (now_s - ENDS_SOONEST_S,)).fetchall():
                row, noted = row_of(columns), Noted(kind, end_s)
                why = "" if kind else next((one.why for one in maintenance if one.covers(row)), "")
                change, after = change_of(row, noted, now_s, is_quiet=bool(why))
                count += change is not None and self._add(change, row._replace(maintenance=""), now_ms)
                if (after, why) != (noted, row.maintenance):
                    self._connection.execute(
                        "UPDATE alarms SET noted_kind = ?, noted_end_s = ?, is_final = ?, maintenance = ? WHERE id = ?",
                        (*after, why, row.id),
                    )
            self._connection.execute(
                "DELETE FROM changes WHERE id <= (SELECT max(id) FROM changes) - ?", (CHANGES_MAX,)
            )
        return count

    def next(self, channel: ChannelEntry, names: Mapping[str, str], room: int) -> Message | None:
        """What the channel is to be told next, durably; None: nothing, or no room for it.

        room: so many messages may be sent now; where more wait, they become one. names: of enterprises, by id.
        """
        found = self._connection.execute("SELECT id, told FROM messages WHERE channel = ?", (channel.name,)).fetchone()
        if found is not None:
            return Message(found[0], json.loads(found[1]))
        if room == 0:
            return None
        with transaction(self._connection):
            reached, wanted = self._wanted(channel, self._skip_lost(channel.name))
            if len(wanted) <= room:  # each by itself
                reached, wanted = (wanted[0][0] if wanted else reached), wanted[:1]
            told = [self._document(channel, names, *one) for one in wanted]
            self._connection.execute("UPDATE channels SET reached = ? WHERE name = ?", (reached, channel.name))
            if not told:
                return None
            message = Message(told[0]["id"] if len(told) == 1 else f"{told[0]['id']}.and.{len(told) - 1}", told)
            self._connection.execute(
                "INSERT INTO messages (channel, id, told, changes) VALUES (?, ?, ?, ?)",
                (
                    channel.name,
                    message.id,
                    json.dumps(told, ensure_ascii=False),
                    json.dumps([one[0] for one in wanted]),
                ),
            )
        return message

    def confirmed(
        self, channel: str, message: Message, now_ms: int, refused: Mapping[str, str] = MappingProxyType({})
    ) -> bool:
        """The channel has it, but for changes of these ids, with why; whether it is well again with that."""
        places = {place: refused[one["id"]] for place, one in enumerate(message.told) if one["id"] in refused}
        with transaction(self._connection):
            self._end(channel, now_ms, places)
            self._connection.execute(
                "UPDATE channels SET told = told + ?, digests = digests + ?, given_up = given_up + ? WHERE name = ?",
                (len(message.told) - len(places), len(message.told) > 1, len(places), channel),
            )
            return self._set_health(channel, "", "", now_ms)

    def failed(self, channel: str, message: Message, reason: str, detail: str, now_ms: int) -> bool:
        """The channel did not confirm it; whether that is another reason than before."""
        with transaction(self._connection):
            (tries,) = self._connection.execute(
                "UPDATE messages SET tries = tries + ? WHERE channel = ? RETURNING tries", (reason == REFUSED, channel)
            ).fetchone()
            if tries >= REFUSED_MAX:
                self._end(channel, now_ms, dict.fromkeys(range(len(message.told)), detail))
                self._connection.execute(
                    "UPDATE channels SET given_up = given_up + ? WHERE name = ?", (len(message.told), channel)
                )
            return self._set_health(channel, reason, detail[:DETAIL_CHARS_MAX], now_ms)

    def standing(self, channel: ChannelEntry) -> Standing:
        """How the channel is."""
        columns = ", ".join(Standing._fields[:-1])
        found = self._connection.execute(
            f"SELECT reached, {columns} FROM channels WHERE name = ?",  # noqa: S608  (names of ours)
            (channel.name,),
        ).fetchone()
        if found is None:
            return Standing()
        (under_way,) = self._connection.execute(
            "SELECT coalesce(sum(json_array_length(told)), 0) FROM messages WHERE channel = ?", (channel.name,)
        ).fetchone()
        rows = self._connection.execute("SELECT change, shown FROM changes WHERE id > ?", (found[0],))
        waiting = sum(channel.wants(change, Row(**json.loads(shown))) for change, shown in rows)
        return Standing._make([*found[1:], waiting + under_way])

    def fates(self, channels: Iterable[ChannelEntry], alarm: int) -> list[Fate]:
        """What became of each change of an alarm at each channel that wants it, channel by channel, by age."""
        found: list[Fate] = []
        changes = self._connection.execute(
            "SELECT id, change, shown FROM changes WHERE alarm = ? ORDER BY id", (alarm,)
        ).fetchall()
        for channel in channels:
            state = self._connection.execute(
                "SELECT c.reached, c.reason, c.detail, coalesce(m.changes, '[]') FROM channels c"
                " LEFT JOIN messages m ON m.channel = c.name WHERE c.name = ?",
                (channel.name,),
            ).fetchone()
            if state is None:
                continue
            reached, reason, detail, under_way = state
            fates = dict(self._fates(channel.name, alarm))
            for number, change, shown in changes:
                what = change.partition(".")[0]
                if number in fates:
                    found.append(Fate(what, channel.name, *fates[number]))
                elif number in json.loads(under_way):
                    found.append(Fate(what, channel.name, FAILING if reason else WAITING, None, reason, detail))
                elif number > reached and channel.wants(change, Row(**json.loads(shown))):
                    found.append(Fate(what, channel.name, WAITING))
        return found

    def _fates(self, channel: str, alarm: int) -> Iterator[tuple[int, tuple[str, int, str, str]]]:
        rows = self._connection.execute(
            "SELECT f.change, f.fate, f.at_ms, f.detail FROM fates f JOIN changes c ON c.id = f.change"
            " WHERE c.alarm = ? AND f.channel = ?",
            (alarm, channel),
        )
        return (
            (number, (fate, at_ms, REFUSED if fate == GIVEN_UP else "", detail)) for number, fate, at_ms, detail in rows
        )

    def _end(self, channel: str, now_ms: int, given_up: Mapping[int, str]) -> None:
        """The message under way is none any more: its changes are told, but for those at these places, with why."""
        self._connection.execute(
            "INSERT OR IGNORE INTO fates (change, channel, fate, at_ms, detail)"
            " SELECT c.id, ?1, iif(why.key IS NULL, ?2, ?3), ?4, coalesce(why.value, '')"
            " FROM messages m, json_each(m.changes) one JOIN changes c ON c.id = one.value"
            " LEFT JOIN json_each(?5) why ON why.key = CAST(one.key AS TEXT) WHERE m.channel = ?1",
            (
                channel,
                TOLD,
                GIVEN_UP,
                now_ms,
                json.dumps({place: why[:DETAIL_CHARS_MAX] for place, why in given_up.items()}),
            ),
        )
        self._connection.execute("DELETE FROM messages WHERE channel = ?", (channel,))

    def _add(self, change: str, row: Row, now_ms: int) -> bool:
        done = self._connection.execute(
            "INSERT OR IGNORE INTO changes (alarm, change, at_ms, shown) VALUES (?, ?, ?, ?)",
            (row.id, change, now_ms, json.dumps(row._asdict(), ensure_ascii=False)),
        )
        return done.rowcount > 0

    def _skip_lost(self, channel: str) -> int:
        """Up to which change the channel was told, or can't be told any more."""
        (reached,) = self._connection.execute("SELECT reached FROM channels WHERE name = ?", (channel,)).fetchone()
        (oldest,) = self._connection.execute("SELECT coalesce(min(id), 0) FROM changes").fetchone()
        lost = max(0, oldest - 1 - reached)
        self._connection.execute("UPDATE channels SET lost = lost + ? WHERE name = ?", (lost, channel))
        return int(reached + lost)

    def _wanted(self, channel: ChannelEntry, reached: int) -> tuple[int, list[tuple[int, str, int, Row]]]:
        """(how far it was looked, the changes that the channel wants, as many as fit into a message)."""
        wanted: list[tuple[int, str, int, Row]] = []
        rows = self._connection.execute(
            "SELECT id, change, at_ms, shown FROM changes WHERE id > ? ORDER BY id", (reached,)
        )
        for number, change, at_ms, shown in rows:
            reached, row = number, Row(**json.loads(shown))
            if channel.wants(change, row):
                wanted.append((number, change, at_ms, row))
                if len(wanted) == DIGEST_MAX:
                    break
        return reached, wanted

    def _document(
        self, channel: ChannelEntry, names: Mapping[str, str], _number: int, change: str, at_ms: int, row: Row
    ) -> Document:
        """With an id that means this change of this alarm alone, also after a restore: an alarm's number may recur."""
        name = f"{self._identity}.{row.id}.{row.found_ms // 1000}.{change}"
        return document(name, change, at_ms, row, names.get(row.enterprise, ""), channel.utc_offset_h)

    def _set_health(self, channel: str, reason: str, detail: str, now_ms: int) -> bool:
        """Whether it is another reason than before; since_ms: since it is well, or not."""
        (before,) = self._connection.execute("SELECT reason FROM channels WHERE name = ?", (channel,)).fetchone()
        self._connection.execute(
            "UPDATE channels SET reason = ?1, detail = ?2, since_ms = iif((reason = '') = (?1 = ''), since_ms, ?3)"
            " WHERE name = ?4",
            (reason, detail, now_ms, channel),
        )
        return bool(before != reason)
