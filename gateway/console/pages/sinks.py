"""Sinks: how far each is behind, what it refuses, and handing over again."""

from contextlib import closing
from typing import Annotated, Any, cast

import msgspec

from gateway.console.route import Call, Nothing, RefusedError, Route, not_found
from gateway.console.users import Role
from gateway.forward import outbox, refeeds
from gateway.journal.reader import Reader


class SinkShown(msgspec.Struct, frozen=True):
    """A sink. lag: records that it has not confirmed; dead: those that it refuses, by reason; detail: why it fails.

    texts_waiting, texts_refused: log texts of alarms and events (HJ 212, CN 3020), which are not in lag and under_way.
    """

    name: str
    kind: str
    state: str
    reason: str
    detail: str
    since_ms: int | None
    lag: int
    under_way: int
    refeed: int
    dead: dict[str, int]
    texts_waiting: int
    texts_refused: int


class Refeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What it confirmed at this time or later; null: what it refused, instead."""

    since_s: Annotated[int, msgspec.Meta(ge=0, le=2**32)] | None


class Ordered(msgspec.Struct, frozen=True):
    """What is handed over again."""

    records: int
    placements: int


def _list(call: Call) -> list[SinkShown]:
    with closing(Reader(call.house.folder)) as reader:
        newest = reader.last_id()
    return [_sink(call, one, newest) for one in call.house.config.sink]


def _refeed(call: Call) -> Ordered:
    asked: Refeed = call.asked
    name, folder = call.path["name"], call.house.folder
    if name not in {one.name for one in call.house.config.sink}:
        raise not_found(name)
    if not outbox.file_of(folder, name).exists():
        raise RefusedError(409, "nothing", f"{name} has taken nothing yet", f"{name} 尚未上报过任何数据")
    if asked.since_s is None:
        return Ordered(*refeeds.order_dead(folder, name))
    with closing(Reader(folder)) as reader:
        newest = reader.last_id()
    return Ordered(*refeeds.order_refeed(folder, name, asked.since_s * 1000, newest))


ROUTES = [
    Route("GET", "/api/sinks", Role.VIEWER, "All sinks", Nothing, list[SinkShown], _list),
    Route("POST", "/api/sinks/{name}/refeeds", Role.OPERATOR, "Hand over again", Refeed, Ordered, _refeed),
]


def _sink(call: Call, one: msgspec.Struct, newest: int) -> SinkShown:
    name = cast("Any", one).name
    kind = str(one.__struct_config__.tag)
    found = cast("dict[str, Any]", outbox.status(call.house.folder, name))
    texts = found.get("log_texts", {})
    return SinkShown(
        name,
        kind,
        found["state"],
        found.get("reason", ""),
        found.get("detail", ""),
        found.get("since_ms"),
        newest - found["settled"],
        found["under_way"],
        found["refeed"],
        found["dead"],
        texts.get("waiting", 0),
        texts.get("refused", 0),
    )
