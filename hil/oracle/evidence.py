"""What the oracle looks at: what was true, what the journal holds, what the platform has. Plain data, no opinions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from protocol.record import Event, Window


@dataclass(frozen=True)
class Poll:
    """One poll of a meter: the virtual Unix ms of its last answer, and what it showed (named as in Reading).

    from_ms: of its first answer, where it was read in several. is_late: it was held back, so that it may have come when
    nobody waited for it any more.
    """

    t_ms: int
    values: Mapping[str, int]
    from_ms: int = 0
    is_late: bool = False


@dataclass(frozen=True)
class Life:
    """One start of the terminal's process, virtual Unix ms; it was killed, or the run ended, at to_ms."""

    from_ms: int
    to_ms: int
    knows_time: bool = True  # its clock was set at its start
    boot: int | None = None  # what it counted this start as, where that is known
    boot_id: int | None = None  # what it calls this start in its frames, where that is known
    clock_off_ms: int = 0  # by so much its clock may really have been off in it, whatever it said itself


@dataclass(frozen=True)
class Kept:
    """One record of the journal, out of a frame that the oracle has authenticated itself.

    sent_boot, sent_uptime_ms: when that frame was sealed, as the terminal counts; sent_boot_id: its name for that
    start. committed_ms: by the gateway's clock.
    """

    epoch: int
    seq: int
    body: Window | Event
    raw: bytes
    sent_boot: int = 0
    sent_uptime_ms: int = 0
    committed_ms: int = 0
    sent_boot_id: int = 0


@dataclass(frozen=True)
class Trouble:
    """A stretch of virtual time in which something was made to go wrong: the cause that findings name."""

    what: str
    from_ms: int
    to_ms: int


@dataclass(frozen=True)
class Truth:
    """What happened, from sources that neither terminal nor gateway can colour.

    polls: by point number, in order of time. tolerance_ms: by how much two processes' clocks may seem to differ.
    lag_ms: how long after its meter's answer a terminal on a busy machine may come to stamp a sample, at the most; it
    asks for no other meanwhile, so that it is known which one it stamps. How late a run's were, it says itself.
    thresholds_w: by point number, the power above which it runs.
    boot_ms: how long after its start the terminal may still be busy starting.
    busy_ms: for how long a terminal on a busy machine may not come to ask a meter.
    is_misled: the gateway itself was made to tell a wrong time, which no terminal can know.
    unanswered: by point number, the instants at which its meter was asked and was made to give no whole answer.
    """

    start_ms: int
    end_ms: int
    sample_interval_ms: int
    lives: Sequence[Life]
    polls: Mapping[int, Sequence[Poll]]
    troubles: Sequence[Trouble]
    tolerance_ms: int
    boot_ms: int
    thresholds_w: Mapping[int, int] = field(default_factory=dict)
    lag_ms: int = 0
    unanswered: Mapping[int, Sequence[int]] = field(default_factory=dict)
    is_misled: bool = False
    busy_ms: int = 0


@dataclass(frozen=True)
class Journal:
    """What the gateway holds of one terminal. rows: (epoch, seq, record bytes) as its record table says; kept: as the
    frames say, of which it keeps so many. forged: what is wrong with frames that the terminal can't have sealed;
    unreadable: why its file can't be read; "": it can.
    """

    kept: Sequence[Kept]
    rows: Sequence[tuple[int, int, bytes]]
    frames: int = 0
    forged: Sequence[str] = ()
    unreadable: str = ""


@dataclass(frozen=True)
class Upload:
    """A message that a platform took in: its exchange's number, the start of its period, its values as they came.

    came_ms: virtual Unix ms.
    """

    number: str
    start_ms: int
    values: Mapping[str, str]
    came_ms: int = 0


@dataclass(frozen=True)
class Item:
    """A value that the platform is to get of each reading: its name there, and where it comes from.

    One unit of the platform's is 10**exponent of the field's (kWh of Wh: 3), with `decimals` digits.
    """

    point: int
    code: str
    attribute: str
    field: str
    exponent: int
    decimals: int


@dataclass(frozen=True)
class Sink:
    """A platform: what it has of one terminal, and what it was to get."""

    uploads: Sequence[Upload]
    items: Sequence[Item]


@dataclass(frozen=True)
class Case:
    """What there is to judge one terminal by. terminal, points: the scenario's names for them."""

    terminal: str
    points: Sequence[str]
    truth: Truth
    journal: Journal
    sinks: Mapping[str, Sink]


@dataclass(frozen=True)
class Finding:
    """Something that must not be. invariant: 1 to 6 of the architecture, 0: the scenario's own expectation.

    cause: the trouble in whose time it fell. from_ms, to_ms: the stretch that it is about, virtual Unix ms; both 0
    where it is about none. terminal: whose it is; "" where it is nobody's. count: of so many windows or records.
    """

    invariant: int
    code: str
    text: str
    cause: str = ""
    from_ms: int = 0
    to_ms: int = 0
    terminal: str = ""
    count: int = 1


@dataclass
class Count:
    """Windows: closed by the terminal; of these in the journal; and what is wrong with it."""

    closed: int = 0
    journalled: int = 0
    lost: int = 0
    duplicated: int = 0
    invented: int = 0

    def add(self, other: "Count") -> None:
        """Count another terminal's in."""
        self.closed += other.closed
        self.journalled += other.journalled
        self.lost += other.lost
        self.duplicated += other.duplicated
        self.invented += other.invented


@dataclass
class Tally:
    """A sink's account in windows."""

    delivered: int = 0
    lost: int = 0
    duplicated: int = 0

    def add(self, other: "Tally") -> None:
        """Count another terminal's in."""
        self.delivered += other.delivered
        self.lost += other.lost
        self.duplicated += other.duplicated


@dataclass
class Verdict:
    """The oracle's answer, of one terminal or summed over all. terminals: the windows of each."""

    windows: Count = field(default_factory=Count)
    terminals: dict[str, Count] = field(default_factory=dict)
    readings: int = 0
    sinks: dict[str, Tally] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every invariant held."""
        return not self.findings
