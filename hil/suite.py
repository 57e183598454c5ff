"""Plays scenarios one after the other, and says of each what came of it. What was not played has not passed."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Literal

import msgspec

from hil import runner, scenario
from hil.known_failing import Entry
from hil.process import BenchError
from hil.report.files import write_all
from protocol.host.strict import ConfigError

# known_failing: it is on the list, whose day is not past. not_played: the bench could not do it, which is a failure
Status = Literal["passed", "failed", "known_failing", "not_played"]
GOOD = {"passed", "known_failing"}


class Result(msgspec.Struct, frozen=True):
    """What came of a scenario; reason: of what did not pass."""

    name: str
    status: Status
    reason: str
    real_s: float


def play(
    names: Sequence[str],
    target: Literal["sim", "unix"] | None,
    out: Path,
    known: dict[str, Entry],
    today: date,
    told: Callable[[Result], None],
) -> list[Result]:
    """Each scenario, by its name or file, in a folder of its own below `out`, on `target` or on its own. The folder of
    one that failed has its report.
    """
    results = []
    for given in names:
        name = Path(given).stem  # of a file, too
        result = _one(given, target, out / name)
        entry = known.get(name)
        if result.status == "failed" and entry is not None:
            late = entry.until < today
            reason = f"{entry.reason} ({entry.owner}, until / 截止 {entry.until}): {result.reason}"
            result = msgspec.structs.replace(result, status="failed" if late else "known_failing", reason=reason)
        elif entry is not None and result.status == "passed":
            result = msgspec.structs.replace(
                result, reason="take it off the list of known failures / 请移出已知失败清单"
            )
        results.append(result)
        told(result)
    return results


def _one(given: str, target: Literal["sim", "unix"] | None, folder: Path) -> Result:
    name = folder.name
    try:
        chosen = scenario.load(given)
        if target is not None:
            chosen = msgspec.structs.replace(chosen, target=target)
        outcome = runner.run(chosen, folder, lambda _share, _text: None)
    except (BenchError, ConfigError) as error:
        return Result(name, "not_played", str(error), 0.0)
    report = outcome.report
    if report.verdict == "pass":
        return Result(name, "passed", "", report.real_s)
    write_all(chosen, outcome, folder, f"wattline hil run {given} --target {chosen.target}")
    codes = ", ".join(dict.fromkeys(finding.code for finding in report.findings))
    return Result(name, "failed", codes, report.real_s)
