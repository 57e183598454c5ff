"""What a scenario is played on: one interface. The targets that stand behind it (hil/targets.py opens them):

`sim`   everything in this process, virtual time, from one seed (hil/sim)
`unix`  the real MicroPython VM, broker, gateway, ptys and sockets on this machine (hil/bench.py)
`board` the same, with a real terminal on a serial port in the VM's place (hil/board)

Whoever plays a scenario (hil/runner.py) and whoever makes things go wrong (hil/faults.py) knows no more than this.
All instants and spans are virtual, in ms.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, Self

from hil.oracle.evidence import Finding, Life
from hil.scenario import Scenario, Update


class StoppedError(Exception):
    """The run has ended before its time, by what was found while it went on; nothing more can be asked of its parts."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.text)
        self.finding = finding


class Part(Protocol):
    """Something that can be there or not."""

    def start(self) -> None:
        """Begin, and be there on return."""

    def stop(self) -> None:
        """A clean end."""

    def kill(self) -> None:
        """The end that a power cut makes, or kill -9."""


class BrokerPart(Part, Protocol):
    """The broker."""

    def published(self) -> int:
        """Frames that terminals have published to it, repetitions included, over all its starts."""


class GatewayPart(Part, Protocol):
    """The gateway, with its stores."""

    def kill_after_commit(self) -> None:
        """Kill it right after its next commit: it has not acknowledged what it has committed, or only just."""

    def fail_disk(self, number: int | None) -> None:
        """Its disk answers with this errno from now on; None: it works again."""

    def counters(self) -> dict[str, int]:
        """The journal's own counters, over all its starts."""

    def quarantined(self) -> dict[str, int]:
        """Frames and records in quarantine, by the reason."""

    def rollouts(self) -> dict[str, int]:
        """Rollouts of releases, by state."""


class LinkPart(Protocol):
    """A terminal's way to the broker; of one whose uplink is Modbus TCP, the gateway's way to it."""

    def set_up(self, *, up: bool) -> None:
        """Take it away, without a word to either end, or bring it back."""

    def set_profile(self, name: str) -> None:
        """As fast as a network of hil.weather.PROFILES."""

    def break_after(self, count: int | None) -> None:
        """Break the connection that there is, and the next one when so many bytes have passed of who connects; None:
        no later one any more.
        """


class TerminalPart(Protocol):
    """A terminal, with its flash and the meters on its bus."""

    def start(self) -> None:
        """Power on."""

    def kill(self) -> None:
        """Power cut: there is no other end."""

    def copy_flash(self, other: Self) -> None:
        """Have all that another terminal has on its flash now."""

    def move_rtc(self, seconds: int) -> None:
        """Move the clock chip's time."""

    @property
    def link(self) -> LinkPart: ...
    @property
    def lives(self) -> Sequence[Life]:
        """Its starts, each to its end or to now."""

    def served(self) -> Iterable[Mapping[str, Any]]:
        """The rows of its meters' log (hil/meters.py)."""


class StrangerPart(Protocol):
    """Somebody on the broker without a key (hil/stranger.py)."""

    def act(self, deed: Literal["replay", "replay_acks", "forge"]) -> None:
        """Have him publish all that he has heard, or what he makes up."""


class PlatformPart(Protocol):
    """The HJ 212 platform."""

    def obey(self, mode: str, **more: object) -> None:
        """Change how it behaves (hil.platform.Mode)."""


class Target(Protocol):
    """All parts of a scenario. `tick_ms`: it should be looked at so often; `look_ms`, `drain_ms`: how often, and for
    how long, it is waited for what is still under way at the end; `tolerance_ms`, `lag_ms`, `boot_ms`: see
    oracle.evidence.Truth.
    """

    scenario: Scenario
    factor: int  # how much faster than life; 0: virtual time jumps
    tick_ms: int
    look_ms: int
    drain_ms: int
    tolerance_ms: int
    lag_ms: int
    boot_ms: int

    @property
    def is_misled(self) -> bool:
        """Whether the gateway's own clock was made to tell a wrong time."""

    @property
    def broker(self) -> BrokerPart: ...
    @property
    def gateway(self) -> GatewayPart: ...
    @property
    def terminals(self) -> Mapping[str, TerminalPart]:
        """By the scenario's name for each, in its order."""

    @property
    def platform(self) -> PlatformPart: ...
    @property
    def stranger(self) -> StrangerPart: ...
    @property
    def journal_file(self) -> Path:
        """The gateway's journal."""

    @property
    def uploads_file(self) -> Path:
        """What the platform took in (hil.platform)."""

    def bring_up(self, absent: set[str]) -> None:
        """Start everything but `absent` (broker, gateway, terminals by name); time then is shortly before the start."""

    def now_ms(self) -> int:
        """Virtual Unix ms."""

    def advance(self, to_ms: int) -> list[str]:
        """Let time pass until this instant, or somewhat less; returns what crashed meanwhile. Raises StoppedError."""

    def roll_out(self, update: Update) -> None:
        """Have the gateway roll out this release, as an operator's command does."""

    def uploaded_ms(self, t_ms: int) -> int:
        """The virtual instant of one by the platform's clock, both Unix ms."""

    def versions(self) -> dict[str, str]:
        """Of what takes part, by name."""

    def digest(self) -> str:
        """Over all that happened, where the same seed gives the same; else nothing."""

    def end(self) -> None:
        """End everything in the order in which nothing is lost that was about to be written."""
