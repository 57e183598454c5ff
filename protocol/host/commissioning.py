"""What a technician sends to the gateway, each a signed document (signed.py).

Enrolment   made when the terminal gets its key: the terminal, its points, its key sealed to the gateway
Report      made at the end: who, when, where, what was found; names the enrolment, and the first record that was
            acknowledged
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

import msgspec

from protocol import configuration, limits
from protocol.host import signed
from protocol.host.tables import Name, Section, Text

ENROLMENT, REPORT = "wattline-enrolment-1", "wattline-commissioning-1"

Time = Annotated[str, msgspec.Meta(pattern=r"^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z$")]
Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$", description="64 hex digits")]
Number = Annotated[int, msgspec.Meta(ge=1, le=limits.POINTS_MAX)]
Watt = Annotated[int, msgspec.Meta(ge=1, le=limits.POWER_W_MAX)]
Ratio = Annotated[int, msgspec.Meta(ge=1, le=configuration.RATIO_MAX)]
Energy = Annotated[int, msgspec.Meta(ge=0, le=limits.ENERGY_WH_MAX)]
Generation = Annotated[int, msgspec.Meta(ge=1, le=limits.GENERATION_MAX)]


class Enterprise(Section, frozen=True):
    """Who is measured."""

    id: Name
    name: Text
    address: Text | None = None


class Point(Section, frozen=True):
    """A point as the gateway's terminals.toml has it."""

    number: Number
    name: Text
    kind: Literal["production", "treatment", "other"]
    rated_power_w: Watt
    ct_ratio: Ratio
    pt_ratio: Ratio
    register_step_wh: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] | None = None


class Enrolment(Section, frozen=True):
    """A terminal that got its key."""

    terminal: Name
    enterprise: Enterprise
    place: Text
    board: Text
    made: Time
    generation: Generation
    sealed_key: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{2}){32,256}$")]
    points: list[Point]


class Meter(Section, frozen=True):
    """What a meter says of itself; None: it does not tell."""

    profile: Text
    address: int | str
    circuit: Number = 1
    serial: Energy | None = None
    ct_milli: Energy | None = None
    pt_milli: Energy | None = None


class Finding(Section, frozen=True):
    """As firmware.field.outcome.Finding."""

    code: Text
    en: str
    zh: str
    advice_en: str = ""
    advice_zh: str = ""


class Step(Section, frozen=True):
    """A step of the work, and what it came to."""

    step: Text
    state: Literal["passed", "failed", "cannot_tell", "skipped"]
    ended: Time
    findings: list[Finding] = msgspec.field(default_factory=list)


class MeasuredPoint(Section, frozen=True):
    """A point as it was found. baseline: of one moment under load, by the names of a terminal's quantities."""

    number: Number
    name: Text
    kind: Literal["production", "treatment", "other"]
    rated_power_w: Watt
    ct_ratio: Ratio
    pt_ratio: Ratio
    meter: Meter
    baseline: dict[str, int]
    wiring: Literal["passed", "failed", "cannot_tell", "skipped"]


class Board(Section, frozen=True):
    """The terminal's hardware and what runs on it."""

    kind: Text
    uid: Text
    micropython: Text
    firmware: Text


class FirstRecord(Section, frozen=True):
    """The test upload: a record of the terminal's log that the gateway acknowledged."""

    epoch: Annotated[int, msgspec.Meta(ge=0, le=limits.UINT32_MAX)]
    seq: Annotated[int, msgspec.Meta(ge=0, le=limits.UINT32_MAX)]


class Photo(Section, frozen=True):
    """A picture that was taken, by its content."""

    name: Text
    sha256: Digest


class Report(Section, frozen=True):
    """A terminal that works."""

    terminal: Name
    enterprise: Enterprise
    place: Text
    technician: Text
    began: Time
    ended: Time
    enrolment: Digest
    board: Board
    first_record: FirstRecord
    points: list[MeasuredPoint]
    steps: list[Step]
    photos: list[Photo] = msgspec.field(default_factory=list)
    note: str = ""


def digest(body: dict[str, Any]) -> str:
    """By which one document names another: SHA-256 of its body's canonical form, in hex."""
    return hashlib.sha256(signed.canonical(body)).hexdigest()
