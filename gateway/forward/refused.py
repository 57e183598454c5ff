"""What a sink has refused, as its file says: dead letters, and log texts (HJ 212) that were given up."""

import re
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from gateway.database import connect_for_reading
from gateway.forward.log_texts import REFUSED
from gateway.forward.outbox import file_of

_PASSWORD = re.compile(r";PW=[^;]*")


class Refused(NamedTuple):
    """record: of the journal; None of a text that the watch had told, which has the change's id and its words.

    packet: as it was sent, its password hidden; "" where it never was one.
    """

    record: int | None
    id: str
    text: str
    reason: str
    detail: str
    packet: str


def refused(folder: Path, sink: str, limit: int) -> list[Refused]:
    """The newest of each kind. Raises sqlite3.Error where the sink has no file, or one of an earlier version."""
    with closing(connect_for_reading(file_of(folder, sink))) as connection:
        dead = connection.execute(
            "SELECT record, '', '', reason, detail, packet FROM dead ORDER BY record DESC LIMIT ?", (limit,)
        )
        texts = connection.execute(
            "SELECT NULL, id, text, 'log_text', reason, data FROM log_texts WHERE state = ?"
            " ORDER BY number DESC LIMIT ?",
            (REFUSED, limit),
        )
        rows = (*dead.fetchall(), *texts.fetchall())
        return [Refused._make([*columns, _shown(packet)]) for *columns, packet in rows]


def _shown(packet: bytes | None) -> str:
    return _PASSWORD.sub(";PW=******", (packet or b"").decode("utf-8", "replace").rstrip("\r\n"))
