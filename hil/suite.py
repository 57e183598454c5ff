"""Plays scenarios one after the other, and says of each what came of it. What was not played has not passed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from hil import again, runner, scenario
from hil.known_failing import Known
from hil.process import BenchError
from hil.report.files import write_all
from protocol.host.strict import ConfigError

# known_failing: it is on the list. not_played: the bench could not do it, which is a failure
Status = Literal["passed", "failed", "known_failing", "not_played"]
GOOD = {"passed", "known_failing"}


class Result(msgspec.Struct, frozen=True):
    """What came of a scenario; reason: of what did not pass. target: "" where it could not even be read."""

    name: str
    status: Status
    reason: str
    real_s: float
    target: str = ""


def play(
    names: Sequence[str],
    target: Literal["sim", "unix"] | None,
    out: Path,
    known: Known,
    told: Callable[[Result], None],
) -> list[Result]:
    """Each scenario, by its name or file, in a folder of its own below `out`, on `target` or on its own. The folder of
    one that failed has its report. known: what excuses the bench's own scenarios, by target; it excuses no other file.
    """
    results = []
    for given in names:
        result = _one(given, target, out / Path(given).stem)
        entry = known.get((given, result.target))
        if result.status == "failed" and entry is not None:
            reason = f"{entry.reason} ({entry.owner}, until / 截止 {entry.until}): {result.reason}"
            result = msgspec.structs.replace(result, status="known_failing", reason=reason)
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
        return Result(name, "passed", "", report.real_s, chosen.target)
    write_all(chosen, outcome, folder, again.command(given, {"--seed": chosen.seed, "--target": chosen.target}))
    codes = ", ".join(dict.fromkeys(finding.code for finding in report.findings))
    return Result(name, "failed", codes, report.real_s, chosen.target)
