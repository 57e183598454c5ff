"""Logs: one JSON object a line. What is logged is named by the caller; keys never are."""

from typing import TextIO

import structlog

from gateway.clock import Clock
from protocol.host.printable import printable_json


def make_logger(clock: Clock, stream: TextIO) -> structlog.typing.FilteringBoundLogger:
    """A logger whose lines carry `time_ms` of the clock given, `level` and `event`."""

    def stamp(_logger: object, _method: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {"time_ms": clock.now_ms(), **entry}

    logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            stamp,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(printable_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
    )
    return logger
