"""rules.toml: what the watch's rules go by, and which are off. Every key may be left out; so may the file.

[transformer]
load_percent = 15

[late]
enabled = false

[silent]
after_min = 35
"""

from pathlib import Path
from typing import Annotated

import msgspec

from protocol.host.strict import read
from protocol.host.tables import Section

Percent = Annotated[int, msgspec.Meta(ge=1, le=100)]
Windows = Annotated[int, msgspec.Meta(ge=2, le=96)]  # a day of quarters of an hour
Minutes = Annotated[int, msgspec.Meta(ge=1, le=7 * 24 * 60)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=86_400)]


class Rule(Section, frozen=True, kw_only=True):
    """What all rules have."""

    enabled: bool = True


class Repeated(Rule, frozen=True):
    """[frozen], [alike]: so many windows in which nothing differs are no chance."""

    windows: Annotated[int, msgspec.Meta(ge=4, le=96)] = 4  # fewer repeat themselves in an honest plant


class Replayed(Rule, frozen=True):
    """[replayed]: so long back is it sought whether an hour was shown before."""

    history_days: Annotated[int, msgspec.Meta(ge=1, le=366)] = 31


class Transformer(Rule, frozen=True):
    """[transformer]: judged from load_percent of rated power on, where it lasts `windows`.

    Of a point without rated_power_w nobody knows what load is: there energy that flows backwards counts alone.
    """

    windows: Windows = 2  # a window may begin in the middle of the work on it
    load_percent: Percent = 10  # below, small loads of one phase are usual
    unrated_w: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1_000  # without rated power, from so much on
    factor_min_milli: Annotated[int, msgspec.Meta(ge=1, le=999)] = 550  # below: hardly of one conductor
    lost_percent: Percent = 10  # of the mean of the other two phases' currents: a shorted transformer leaves some


class Silent(Rule, frozen=True):
    """[silent]: nothing came for so long."""

    after_min: Minutes = 35  # two windows, and five minutes on their way


class Late(Rule, frozen=True):
    """[late]: a window came so long after its end, though its terminal was not silent."""

    after_min: Minutes = 35


class Clock(Rule, frozen=True):
    """[clock]: the terminal's clock may be wrong by more, or was set by more."""

    error_max_s: Seconds = 60
    step_max_s: Seconds = 300


class LogFilling(Rule, frozen=True):
    """[log_filling]: so many records wait in a terminal."""

    pending_max: Annotated[int, msgspec.Meta(ge=100, le=1_000_000)] = 2_000  # three weeks of windows


class FailingSink(Rule, frozen=True):
    """[sink]: a sink of the gateway took nothing for so long."""

    after_min: Minutes = 15  # a window of readings; a platform that restarts is back before


class Certificate(Rule, frozen=True):
    """[certificate]: one that a terminal, a broker or an authority has ends within so many days."""

    days: Annotated[int, msgspec.Meta(ge=1, le=366)] = 30  # without a visit it takes hours; a visit to many, weeks


class Rules(Section, frozen=True):
    """The whole file."""

    linkage: Rule = Rule()  # its parameters stand in enterprises.toml
    frozen: Repeated = Repeated()
    alike: Repeated = Repeated()
    replayed: Replayed = Replayed()
    transformer: Transformer = Transformer()
    register: Rule = Rule()  # as verify marks it
    meter: Rule = Rule()
    silent: Silent = Silent()
    cloned: Rule = Rule()
    late: Late = Late()
    clock: Clock = Clock()
    log_filling: LogFilling = LogFilling()
    log_full: Rule = Rule()
    supply: Rule = Rule()
    sink: FailingSink = FailingSink()
    certificate: Certificate = Certificate()


def load(path: Path | None) -> Rules:
    """The file, or what holds without one. Raises ConfigError with all problems."""
    return Rules() if path is None else read(path, Rules)
