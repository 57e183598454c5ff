"""What terminals were asked for again, beside the gaps that it is about: the rows, and the asking."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.cli_common import fail, time_text
from gateway.database import NewerSchemaError, StoreUnavailableError
from gateway.gaps.source import LogSpan
from gateway.wanted import requests
from gateway.wanted.requests import Ask, Request
from gateway.wanted.store import Store, looking

WORDS = {
    requests.OPEN: "asked again / 已请求重传",
    requests.CAME: "came / 已补传",
    requests.GONE: "the terminal has it no more / 终端已无此数据",
    requests.REFUSED: "came and was refused / 补传后被拒绝",
    requests.GIVEN_UP: "no answer, given up / 无应答，已放弃",
}


def place(folder: Path, asks: Sequence[Ask], now_ms: int) -> None:
    """Have these asked for; the running gateway sees it within a second. Ends the command if that can't be."""
    if not asks:
        return
    try:
        store = Store(folder)
        with store.writing() as connection:
            requests.ask(connection, asks, "operator", now_ms)
        store.close()
    except (StoreUnavailableError, NewerSchemaError) as error:
        fail(f"{type(error).__name__}: {error}")


def about(folder: Path, terminal: str, logs: Sequence[LogSpan]) -> list[Request]:
    """What the terminal was asked for of these numbers."""
    with looking(folder) as connection:
        asked = [] if connection is None else requests.of_terminal(connection, terminal)
    return [
        one
        for one in asked
        if any(one.epoch == log.epoch and one.first <= log.last and log.first <= one.last for log in logs)
    ]


def json_row(one: Request) -> dict[str, Any]:
    """As `gaps --json` prints it. missing: still to come, or given up."""
    is_open = one.outcome == requests.OPEN
    return {
        "kind": "asked",
        "terminal": one.terminal,
        "epoch": one.epoch,
        "first": one.first,
        "last": one.last,
        "by": one.asked_by,
        "asked": time_text(one.asked_ms),
        "sent": one.sent,
        "last_sent": None if one.sent_ms is None else time_text(one.sent_ms),
        "outcome": one.outcome,
        "came": None if is_open else one.numbers - one.gone - one.refused - one.missing,
        "gone": one.gone,
        "refused": one.refused,
        "missing": one.missing,
    }


def text_row(one: Request) -> str:
    """Likewise, for a person."""
    numbers = f"{one.epoch:08x}/{one.first}" + (f"..{one.last}" if one.last > one.first else "")
    sent = f"sent {one.sent} times" + ("" if one.sent_ms is None else f", last {time_text(one.sent_ms)}")
    return f"  {one.terminal}  records {numbers}  {WORDS[one.outcome]}  (by {one.asked_by}, {sent})"
