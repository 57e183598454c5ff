"""The step `report`: what a commissioning found, signed, with a page to print and a label, beside the session."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from firmware.field import files
from firmware.field.commission import words
from firmware.field.commission.session import Session, time_text
from firmware.field.commission.work import Work
from firmware.field.outcome import Finding, Outcome, failed, passed
from firmware.field.record import label, page
from firmware.field.site.plan import Point
from protocol.host import commissioning, signed

STEP = "report"
PHOTO_BYTES_MAX = 64 * 1024 * 1024  # a phone's picture has 10
_CHUNK = 1024 * 1024
_NEEDED = {"board": "identify", "enrolment": "provision", "first_record": "test"}


class UnfinishedError(Exception):
    """Something is not there yet; `finding` says which step brings it."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.en)
        self.finding = finding


def run(work: Work, session: Session) -> Outcome:
    """Make report, page and label. Raises OSError."""
    try:
        body = content(work, session, time_text(work.now()), [photo(one) for one in work.photos])
    except UnfinishedError as error:
        return failed(STEP, error.finding)
    digest = commissioning.digest(body)
    shown = label.of_report(body, digest)
    made = {
        "report.json": signed.sign(commissioning.REPORT, body, work.signer.name, work.signer.key),
        "report.html": page.html(body, digest).encode(),
        "label.svg": label.svg(shown).encode(),
        "label.png": label.png(shown),
    }
    for kind, data in made.items():
        files.write(work.file(kind), data)
        work.tell(work.file(kind).name)
    finding = words.reported(work.file("report.json").name)
    return passed(STEP, finding, digest=digest, files=[work.file(kind).name for kind in made])


def content(work: Work, session: Session, ended: str, photos: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """The report's body, as protocol.host.commissioning.Report. ended: ISO time, UTC. Raises UnfinishedError."""
    for fact, step in _NEEDED.items():
        if fact not in session.facts:
            raise UnfinishedError(_missing(step))
    enterprise = work.site.plan.enterprise
    known = {"id": enterprise.id, "name": enterprise.name}
    return {
        "terminal": work.terminal.id,
        "enterprise": known if enterprise.address is None else known | {"address": enterprise.address},
        "place": work.terminal.place,
        "technician": work.signer.name,
        "began": session.began,
        "ended": ended,
        "enrolment": session.facts["enrolment"],
        "board": session.facts["board"],
        "first_record": session.facts["first_record"],
        "points": [_point(one, session.outcomes) for one in work.terminal.points],
        "steps": [_step(name, one, session.ended[name]) for name, one in session.outcomes.items()],
        "photos": list(photos),
        "note": work.note,
    }


def _point(point: Point, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    """A point with its meter's identity, its readings of one moment, and what the wiring check said of it."""
    wiring = _of(outcomes.get("check-wiring"), point.number)
    taken = wiring["moments"][-1] if wiring and wiring.get("moments") else _of(outcomes.get("live"), point.number)
    if taken is None:
        raise UnfinishedError(_missing("live"))
    identity = {name: value for name, value in taken["identity"].items() if value is not None}
    return {
        "number": point.number,
        "name": point.name,
        "kind": point.role,
        "rated_power_w": point.rated_power_w,
        "ct_ratio": point.ct_ratio,
        "pt_ratio": point.pt_ratio,
        "meter": {"profile": point.profile, "address": point.address, "circuit": point.circuit, **identity},
        "baseline": {
            name: value for name, value in {**taken["values"], **taken["phases"]}.items() if value is not None
        },
        "wiring": "skipped" if wiring is None else wiring["state"],
    }


def _of(outcome: Outcome | None, number: int) -> dict[str, Any] | None:
    """What a step found of a point."""
    rows = [] if outcome is None else outcome.data.get("points", [])
    return next((one for one in rows if one["point"] == number), None)


def _step(name: str, outcome: Outcome, ended: str) -> dict[str, Any]:
    return {"step": name, "state": outcome.state, "ended": ended, "findings": [asdict(one) for one in outcome.findings]}


def _missing(step: str) -> Finding:
    return Finding(
        "unfinished",
        f"nothing to report yet: `{step}` has not passed",
        f"尚不能出具报告：步骤 {step} 未通过",
        f"commission again with --from {step}",
        f"请用 --from {step} 继续",
    )


def photo(path: Path) -> dict[str, str]:
    """A picture by name and content. Raises OSError."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            total.update(data)
            if file.tell() > PHOTO_BYTES_MAX:
                raise OSError(f"{path}: longer than {PHOTO_BYTES_MAX} bytes: no picture / 文件过大")
    return {"name": path.name, "sha256": total.hexdigest()}
