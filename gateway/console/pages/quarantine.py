"""Quarantine: refused frames, what they say, and having them tried again or forgotten."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from gateway import app as application
from gateway import lock
from gateway.clock import steady_s
from gateway.console.route import ID_DIGITS_MAX, Call, Nothing, RefusedError, Route, not_found, number_of
from gateway.console.users import Role
from gateway.quarantine import orders
from gateway.quarantine.quarantine import Kept, QuarantineReader
from gateway.verify import CHECKS
from protocol.errors import REASONS
from protocol.explain import explain

WAIT_S = 20.0  # for a running gateway: it looks for orders each second
LOOK_S = 0.1
WAITING_MAX = 4  # requests that wait for it: each holds one of the console's 40 threads; others are told at once
IDS_MAX = 1_000  # of one order: a page has fewer
_WAITING = threading.BoundedSemaphore(WAITING_MAX)
Id = Annotated[int, msgspec.Meta(ge=1, lt=10**ID_DIGITS_MAX)]
Text = Annotated[str, msgspec.Meta(max_length=256)]


class AskFrames(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Only these; the newest first."""

    source: Text | None = None
    reason: Text | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100


class RefusedFrame(msgspec.Struct, frozen=True):
    """A refused frame. offset: the byte at which the reason was seen; length: of the frame as it came."""

    id: int
    received_ms: int
    source: str
    topic: str
    reason: str
    meaning: str
    offset: int
    length: int


class RefusedFrames(msgspec.Struct, frozen=True):
    """counts: of all that is kept, by reason."""

    counts: dict[str, int]
    frames: list[RefusedFrame]


class FrameShown(msgspec.Struct, frozen=True):
    """A frame's bytes in hex, and what they say, as `wattline explain` does."""

    frame: RefusedFrame
    data: str
    explained: dict[str, Any]


class OrderFrames(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """replay: through the pipeline again, as of now; discard: forgotten, for good."""

    do: Literal["replay", "discard"]
    ids: Annotated[list[Id], msgspec.Meta(min_length=1, max_length=IDS_MAX)]


class Became(msgspec.Struct, frozen=True):
    """What became of them. under_way: the gateway will do it. cut: of which only the beginning was kept."""

    under_way: bool
    taken: int = 0
    refused: int = 0
    discarded: int = 0
    gone: int = 0
    cut: int = 0


def _list(call: Call) -> RefusedFrames:
    asked: AskFrames = call.asked
    with _reader(call) as reader:
        if reader is None:
            return RefusedFrames({}, [])
        found = reader.newest(asked.limit, asked.source, asked.reason)
        return RefusedFrames(reader.counts(), [_frame(one) for one in found])


def _show(call: Call) -> FrameShown:
    number = number_of(call.path["id"])
    with _reader(call) as reader:
        kept = None if reader is None else reader.get(number)
    if kept is None:
        raise not_found(str(number))
    return FrameShown(_frame(kept), kept.refused.data.hex(), explain(kept.refused.data))


def _order(call: Call) -> Became:
    """By the running gateway, or here if none runs: as `wattline gateway quarantine` does it."""
    asked: OrderFrames = call.asked
    order = orders.Order(asked.do, asked.ids)
    if lock.running_pid(call.house.folder) is None:
        try:
            return Became(
                under_way=False, **asdict(application.carry_out(call.house.config_path, order, call.house.clock))
            )
        except lock.AlreadyRunningError as error:
            raise RefusedError(
                409, "starting", "the gateway starts just now: try again", "网关正在启动，请重试"
            ) from error
    done = _done(orders.place(call.house.folder, order))
    return Became(under_way=True) if done is None else Became(under_way=False, **asdict(done))


ROUTES = [
    Route("GET", "/api/quarantine", Role.VIEWER, "Refused frames, the newest first", AskFrames, RefusedFrames, _list),
    Route("GET", "/api/quarantine/{id}", Role.VIEWER, "A refused frame, explained", Nothing, FrameShown, _show),
    Route("POST", "/api/quarantine/orders", Role.OPERATOR, "Replay or discard frames", OrderFrames, Became, _order),
]


def _done(result: Path) -> orders.Done | None:
    """What became of an order; None: the gateway is still at it."""
    if not _WAITING.acquire(blocking=False):
        return None
    try:
        until_s = steady_s() + WAIT_S
        while (done := orders.take_result(result)) is None and steady_s() < until_s:
            time.sleep(LOOK_S)
        return done
    finally:
        _WAITING.release()


@contextmanager
def _reader(call: Call) -> Iterator[QuarantineReader | None]:
    """None: nothing was ever refused."""
    try:
        reader = QuarantineReader(call.house.folder)
    except sqlite3.OperationalError:
        yield None
        return
    with closing(reader):
        yield reader


def _frame(kept: Kept) -> RefusedFrame:
    one = kept.refused
    meaning = REASONS[one.reason][1] if one.reason in REASONS else CHECKS.get(one.reason, one.reason)
    return RefusedFrame(kept.id, one.received_ms, one.source, one.topic, one.reason, meaning, one.offset, one.length)
