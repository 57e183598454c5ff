"""Who is admitted: terminals that knock, taking a technician's document, revoking; and the log of all changes."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec

from gateway import registry_edit
from gateway.commissioning import taking
from gateway.commissioning.admission import RefusedError as NotTakenError
from gateway.console.audit import Audit
from gateway.console.route import Call, Done, Nothing, RefusedError, Route, not_found
from gateway.console.users import Role
from gateway.quarantine.quarantine import FILE, QuarantineReader
from protocol.host import signed
from protocol.host.strict import ConfigError

_BODY_MAX = 2 * signed.BYTES_MAX + 1024  # as JSON each quotation mark of a document is two characters


class Knocking(msgspec.Struct, frozen=True):
    """A terminal that sends and is not admitted. is_revoked: it was, once."""

    id: str
    is_revoked: bool
    first_ms: int
    last_ms: int
    frames: int


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a technician sent: an enrolment or a report, as it is in its file."""

    text: Annotated[str, msgspec.Meta(max_length=signed.BYTES_MAX)]


class Admitted(msgspec.Struct, frozen=True):
    """kind: enrolment or report."""

    terminal: str
    kind: str


class AskAudit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The newest so many."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 200


class Change(msgspec.Struct, frozen=True):
    """Somebody changed something, or tried: status below 300, it was done."""

    at_ms: int
    who: str
    address: str
    action: str
    asked: str
    status: int


def _knocking(call: Call) -> list[Knocking]:
    if not (call.house.folder / FILE).exists():
        return []
    known = call.house.registry()
    with closing(QuarantineReader(call.house.folder)) as reader:
        found = reader.unknown()
    return [
        Knocking(one.source, known.revoked(one.source) is not None, one.first_ms, one.last_ms, one.frames)
        for one in found
        if known.get(one.source) is None
    ]


def _admit(call: Call) -> Admitted:
    asked: Document = call.asked
    try:
        return Admitted(*taking.take(call.house.config, asked.text.encode(), _now(call)))
    except NotTakenError as error:
        en, _, zh = str(error).partition(" / ")
        raise RefusedError(409, error.reason, en, zh or en) from error
    except (ConfigError, ValueError, OSError) as error:  # of technicians.toml, terminals.toml, our sealing key
        raise RefusedError(409, "setup", f"not set up for it: {error}", f"网关尚未配置: {error}") from error


def _revoke(call: Call) -> Done:
    name = call.path["id"]
    known = call.house.registry()
    if known.revoked(name) is not None:
        raise RefusedError(409, "revoked", f"{name} is revoked already", f"{name} 已吊销")
    if known.get(name) is None:
        raise not_found(name)
    registry_edit.revoke(Path(call.house.config.terminals), name, _now(call))
    return Done()


def _now(call: Call) -> datetime:
    return datetime.fromtimestamp(call.house.now_s, UTC)


def _audit(call: Call) -> list[Change]:
    asked: AskAudit = call.asked
    with closing(Audit(call.house.folder)) as audit:
        return [Change(*one) for one in audit.newest(asked.limit)]


ROUTES = [
    Route("GET", "/api/knocking", Role.VIEWER, "Terminals that are not admitted", Nothing, list[Knocking], _knocking),
    Route("POST", "/api/admissions", Role.ADMIN, "Take a technician's document", Document, Admitted, _admit, _BODY_MAX),
    Route("POST", "/api/terminals/{id}/revocation", Role.ADMIN, "Revoke a terminal", Nothing, Done, _revoke),
    Route("GET", "/api/audit", Role.ADMIN, "Who changed what", AskAudit, list[Change], _audit),
]
