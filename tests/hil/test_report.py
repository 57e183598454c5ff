"""What a run leaves for people and for machines."""

import io
import json
import math
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from rich.console import Console

from hil.oracle.evidence import Poll, Trouble
from hil.report import picture, result
from hil.report.axis import Axis
from hil.report.charts import Curve
from tests.hil.reports import REPORT

ZONE = timezone(timedelta(hours=8))
START_MS = 1_772_380_800_000
AXIS = Axis(START_MS, START_MS + 8 * 900_000, ZONE)


def test_report_json_has_what_every_run_reports(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    result.write(REPORT, file)
    told = json.loads(file.read_text(encoding="utf-8"))
    assert told["windows"] == {"closed": 96, "journalled": 95, "lost": 1, "duplicated": 0, "invented": 0}
    assert told["frames"] == {"sent": 90, "accepted": 88, "repeated": 2, "refused": 0}
    assert told["sinks"] == {"platform": {"delivered": 95, "lost": 0, "duplicated": 0}}
    assert {"scenario", "seed", "target", "readings", "verdict", "findings"} <= told.keys()
    assert told["findings"][0]["cause"] == "broker_outage"


def test_the_table_says_the_verdict_and_the_cause_in_both_languages() -> None:
    out = io.StringIO()
    result.show(REPORT, Console(file=out, width=120))
    text = out.getvalue()
    for word in ("windows closed", "journalled", "forwarded", "lost", "duplicated", "invented", "refused", "丢失"):
        assert word in text
    assert "broker_outage" in text
    assert "NOT passed" in text


def curve(name: str, kind: str, *, gap: bool) -> Curve:
    windows: list[tuple[int, int, tuple[int, int, int] | None]] = [
        (START_MS + n * 900_000, START_MS + (n + 1) * 900_000, (900, 1000 + n, 1200)) for n in range(8)
    ]
    if gap:
        windows[3] = (*windows[3][:2], None)
    polls = [Poll(START_MS + s * 1000, {"p_w": 1000}) for s in range(0, 7200, 60)]
    return Curve(name, kind, windows, polls)


@pytest.mark.parametrize("fonts", [picture.CJK_FONTS, ()])
def test_the_picture_is_drawn_with_gaps_and_faults_whatever_fonts_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fonts: tuple[str, ...]
) -> None:
    monkeypatch.setattr(picture, "CJK_FONTS", fonts)
    curves = [curve("furnace", "production", gap=True), curve("filter", "treatment", gap=False)]
    troubles = [Trouble("broker_outage", START_MS + 900_000, START_MS + 1_800_000), Trouble("terminal_kill", 0, 1)]
    file = tmp_path / "day.png"
    picture.draw(curves, troubles, AXIS, file)
    assert file.read_bytes().startswith(b"\x89PNG")
    assert file.stat().st_size > 10_000


@pytest.mark.parametrize("power_w", [50_000, -50_000])
def test_power_that_flows_back_is_in_the_picture(power_w: int) -> None:
    """P-213: a transformer that is turned round shows as power below nothing; else the axis begins at nothing."""
    window = (START_MS, START_MS + 900_000, (power_w, power_w, power_w))
    furnace = Curve("furnace", "production", [window], [Poll(START_MS, {"p_w": power_w})])
    axes = Figure().add_subplot()
    picture._panel(axes, [furnace], {key: english for key, (english, _) in picture.WORDS.items()})
    low_kw, high_kw = axes.get_ylim()
    assert low_kw <= min(power_w / 1000, 0)
    assert (low_kw == 0) == (power_w > 0)
    assert high_kw >= power_w / 1000


def test_a_run_of_which_nothing_arrived_has_a_picture(tmp_path: Path) -> None:
    file = tmp_path / "day.png"
    picture.draw([Curve("office", "other", [], [])], [], AXIS, file)
    assert file.read_bytes().startswith(b"\x89PNG")


def test_a_gap_is_drawn_as_a_gap() -> None:
    _times, _lows, means, _highs = picture._steps(curve("furnace", "production", gap=True))
    assert [math.isnan(mean) for mean in means] == [number // 2 == 3 for number in range(16)]
