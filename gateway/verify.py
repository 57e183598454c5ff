"""The verify stage: what the numbers of authenticated records say. Named checks, each with a severity:

refuse  the record can't be true: it goes to quarantine, the terminal is told for good
mark    kept, and passed on as marked, never as normal
note    counted; nothing else follows

The checks run compiled, over the columns of a batch (cext/verify.pyx). Those of one record alone are `check_batch`; a
step of energy registers is held against the records before and after when the journal takes the record in, so that a
mark does not depend on the order in which records come.
"""

from collections.abc import Mapping

from cext.decoder import Columns
from cext.verify import SEVERITIES, YEAR_2020_S, Bounds, Findings, check_columns
from gateway.config import VerifyConfig
from gateway.registry import Senders

# every check by name, and what it says
CHECKS: Mapping[str, str] = {
    "time_before_2020": "the window ends, or the event was, before this product was made",
    "time_far_in_future": "later than the gateway's clock by more than future_refuse_s",
    "time_in_future": "later than the gateway's clock by more than future_mark_s",
    "window_not_aligned": "does not end on a quarter of an hour, or is whole and does not begin on one",
    "point_unknown": "a point that is not admitted: the other points' readings must not be lost with it",
    "energy_fell": "an energy register is below that of an earlier window (S-17)",
    "energy_jumped": "it rose by more than rated power, its excess and a step of the register explain (S-17)",
    "energy_step": "the terminal itself saw it fall or jump (FR-30)",
    "energy_not_power": "over one window the registers say another energy than the mean power",
    "phases_not_total": "under a steady load U x I x power factor over the phases is another power than the mean",
    "samples_none": "a reading, though none of the samples due was taken",
    "point_missing": "admitted, but not in the window",
    "few_samples": "a quarter of the samples due is missing, or the terminal says so",
    "clock_uncertain": "the terminal does not know its clock's error",
    "flag_unknown": "a quality flag that this gateway does not know",
    "epoch_back": "a new record of a log that is not the terminal's newest: an old flash image, or a late frame",
    "meter_not_commissioned": "a meter, or a ratio set in it, that is not the one of the commissioning report (S-29)",
}


def bounds_of(config: VerifyConfig) -> Bounds:
    """[verify] of the configuration, as the checks take it."""
    return Bounds(
        future_mark_s=config.future_mark_s,
        future_refuse_s=config.future_refuse_s,
        rated_power_excess_percent=config.rated_power_excess_percent,
        energy_power_percent=config.energy_power_percent,
        phases_percent=config.phases_percent,
    )


def check_batch(columns: Columns, senders: Senders, now_ms: int, limits: Bounds) -> Findings:
    """What each record of a batch says of itself."""
    return check_columns(columns, senders.points, now_ms // 1000, limits)


def severity(check: str) -> str:
    """Refuse, mark or note."""
    return SEVERITIES[check]


__all__ = ["CHECKS", "YEAR_2020_S", "bounds_of", "check_batch", "severity"]
