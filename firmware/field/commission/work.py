"""What a commissioning works on: the plan, the ports, the technician, and how they are spoken to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware.field.site import Site
from firmware.field.site.plan import Terminal
from firmware.field.wiring.steps import Ask


@dataclass(frozen=True)
class Signer:
    """The technician: name, and the key that proves it."""

    name: str
    key: Ed25519PrivateKey


def nobody(_: object) -> None:
    """Who knows not what runs."""


@dataclass(frozen=True)
class Work:
    """port: of the board's console; bus_ports: of adapters on the meters' buses (bus.opening); none: the board asks.

    folder: where session, enrolment and report are. tell: a line to whoever waits. now: the laptop's clock. ask: of the
    wiring check, what runs. skip: steps that the technician does without. erase: what another terminal left on the
    board may go. timeout_s: of the test upload.
    """

    site: Site
    terminal: Terminal
    port: str
    folder: Path
    signer: Signer
    now: Callable[[], datetime]
    tell: Callable[[str], None]
    bus_ports: Mapping[int, str] = field(default_factory=dict)
    firmware: Path | None = None  # MicroPython's, for the board
    image: Path | None = None  # the application's folder, where it is not this program's own
    ask: Ask = nobody
    skip: tuple[str, ...] = ()
    erase: bool = False
    generation: int | None = None  # of the key that `provision` makes; None: as before, or 1
    timeout_s: float = 120.0  # joining a network takes 20, a first connection and its retries 60
    photos: tuple[Path, ...] = ()
    note: str = ""

    def file(self, kind: str) -> Path:
        """A file of this terminal: T0001.session.json, .enrolment.json, .report.json, .report.html, .label.svg"""
        return self.folder / f"{self.terminal.id}.{kind}"
