"""P-471: a soak passes only where all that was looked at could be judged."""

import msgspec
import pytest

from hil.soak.growth import Grown, Sample, grown
from hil.soak.report import page, soaked, unjudged
from tests.hil.reports import REPORT

STEADY = grown("broker", "threads", [Sample(10.0 * n, 1.0) for n in range(60)])
LEAKS = grown("broker", "threads", [Sample(10.0 * n, 1.0 + n) for n in range(60)])
SHORT = grown("gateway", "threads", [Sample(10.0 * n, 1.0 + n) for n in range(6)])


@pytest.mark.parametrize(
    ("oracle", "growth", "verdict"),
    [
        ("pass", [STEADY], "pass"),
        ("pass", [STEADY, SHORT], "too short to judge"),
        ("pass", [], "too short to judge"),
        ("pass", [SHORT, LEAKS], "fail"),
        ("fail", [STEADY], "fail"),
        ("fail", [SHORT], "fail"),
    ],
)
def test_what_could_not_be_judged_is_no_pass(oracle: str, growth: list[Grown], verdict: str) -> None:
    """P-471: and no excuse for what was lost, or grew."""
    found = soaked(msgspec.structs.replace(REPORT, verdict=oracle), growth, 1)
    assert found.verdict == verdict
    assert f"| verdict | **{verdict}** |" in page(found)
    assert ("gateway" in unjudged(found)) == (SHORT in growth)
