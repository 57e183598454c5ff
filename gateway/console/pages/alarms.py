"""Alarms: what the watch found, and what people do about it."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import msgspec

from gateway.console.route import Call, Done, Nothing, RefusedError, Route, not_found, number_of
from gateway.console.users import Role
from gateway.watch.alarms import STATES, STEPS
from gateway.watch.dispatch import channels
from gateway.watch.dispatch.post import Post
from gateway.watch.store import Row, Step, StepRefusedError, Store
from gateway.watch.words import MEANING, facts_json
from protocol.host.strict import ConfigError

Limit = Annotated[int, msgspec.Meta(ge=1, le=1000)]
Note = Annotated[str, msgspec.Meta(max_length=2000)]
State = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(STATES)})$")]


class AskAlarms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Only these; the newest first."""

    state: State | None = None
    enterprise: Annotated[str, msgspec.Meta(max_length=32)] | None = None
    limit: Limit = 100


class Alarm(msgspec.Struct, frozen=True):
    """One alarm. meaning: English and Chinese. may: the states that a person may give it next."""

    id: int
    enterprise: str
    subject: str
    kind: str
    meaning: list[str]
    from_s: int
    to_s: int
    facts: dict[str, int | str]
    state: str
    found_ms: int
    changed_ms: int
    may: list[str]
    maintenance: str  # why nobody is told of it; "": there is no reason


class TakenStep(msgspec.Struct, frozen=True):
    """What somebody did."""

    at_ms: int
    state: str
    who: str
    note: str


class Told(msgspec.Struct, frozen=True):
    """What became of a change of the alarm (begun, ended ...) at a channel.

    state: told or given_up, at at_ms; waiting; failing. Of given_up and failing, reason and detail say why.
    """

    change: str
    channel: str
    state: str
    at_ms: int | None
    reason: str
    detail: str


class AlarmShown(msgspec.Struct, frozen=True):
    """An alarm, what was done about it, and whom it was told to."""

    alarm: Alarm
    steps: list[TakenStep]
    told: list[Told]


class TakeStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done about it: acknowledged, dispatched (as a supervision notice), answered, closed."""

    state: State
    note: Note = ""


def _list(call: Call) -> list[Alarm]:
    asked: AskAlarms = call.asked
    with closing(_store(call)) as store:
        return [alarm_of(row) for row in store.rows(asked.state, asked.enterprise, asked.limit)]


def _show(call: Call) -> AlarmShown:
    with closing(_store(call)) as store:
        row = store.row(number_of(call.path["id"]))
        if row is None:
            raise not_found(call.path["id"])
        return AlarmShown(alarm_of(row), [TakenStep(*one) for one in store.steps(row.id)], _told(call, row.id))


def _told(call: Call, number: int) -> list[Told]:
    """None where channels.toml can't be used: `check` says why."""
    try:
        known = channels.named(Path(call.house.config.channels) if call.house.config.channels else None)
    except ConfigError:
        return []
    with closing(Post(call.house.folder)) as post:
        return [Told(*one) for one in post.fates(known, number)]


def _step(call: Call) -> Done:
    asked: TakeStep = call.asked
    number = number_of(call.path["id"])
    with closing(_store(call)) as store:
        if store.row(number) is None:
            raise not_found(str(number))
        try:
            store.step(number, Step(call.house.clock.now_ms(), asked.state, call.user.name, asked.note))
        except StepRefusedError as error:
            en, _, zh = str(error).partition(" / ")
            raise RefusedError(409, "step", en, zh) from error
    return Done()


ROUTES = [
    Route("GET", "/api/alarms", Role.VIEWER, "Alarms, the newest first", AskAlarms, list[Alarm], _list),
    Route("GET", "/api/alarms/{id}", Role.VIEWER, "An alarm and its steps", Nothing, AlarmShown, _show),
    Route("POST", "/api/alarms/{id}/steps", Role.OPERATOR, "Do something about an alarm", TakeStep, Done, _step),
]


def _store(call: Call) -> Store:
    return Store(call.house.folder)


def alarm_of(row: Row) -> Alarm:
    """A kept alarm as the console shows it."""
    meaning = MEANING[row.kind].split(" / ")
    return Alarm(
        row.id,
        row.enterprise,
        row.subject,
        row.kind,
        meaning,
        row.from_s,
        row.to_s,
        facts_json(row.facts),
        row.state,
        row.found_ms,
        row.changed_ms,
        list(STEPS[row.state]),
        row.maintenance,
    )
