"""Keeps a board at its prompt while the laptop's adapter asks the meters: of two masters on a bus neither is heard."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

from firmware.field.board.errors import BoardError
from firmware.field.board.link import Link

_FEED_S = 3.0  # a board's watchdog is no shorter than 8 s, and its prompt is gone when it bites


@contextmanager
def held(port: str) -> Iterator[None]:
    """The board runs nothing until the end. Raises BoardError, for what went wrong meanwhile too."""
    lost: list[BoardError] = []
    done = threading.Event()
    with closing(Link(port)) as link:

        def feed() -> None:
            while not done.wait(_FEED_S):
                try:
                    link.run("pass")
                except BoardError as error:
                    lost.append(error)
                    return

        feeder = threading.Thread(target=feed, name="board's watchdog")
        feeder.start()
        try:
            yield
        finally:
            done.set()
            feeder.join()
        if lost:
            raise lost[0]
