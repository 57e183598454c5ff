"""Each window's story: when it was closed, sent, journalled and at the platform, and what was wrong meanwhile."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hil.oracle.evidence import Case, Finding, Sink, Trouble, Truth
from hil.oracle.matching import match
from hil.oracle.windows import WINDOW_MS, Placed, in_span, place
from protocol.record import Reading

# what became of a window, the worst first; gap: it came, and says that some meter gave nothing
State = Literal["lost", "wrong", "late", "gap", "well"]
STATES: tuple[State, ...] = ("lost", "wrong", "late", "gap", "well")


@dataclass(frozen=True)
class Story:
    """One window. Instants are virtual Unix ms, None where it never happened or nobody knows.

    none: (point, reason) of each slot without a reading. at_sinks: by sink. names: boot and seq; None where it is lost.
    """

    from_ms: int
    to_ms: int
    state: State
    sent_ms: int | None
    journalled_ms: int | None
    at_sinks: Mapping[str, int | None]
    none: Sequence[tuple[str, int]]
    troubles: Sequence[Trouble]
    findings: Sequence[Finding]
    late_ms: int  # what comes later than so long after its end is late
    names: tuple[int, int] | None = None
    terminal: str = ""

    @property
    def delay_ms(self) -> int | None:
        """From its end to the journal."""
        return None if self.journalled_ms is None else self.journalled_ms - self.to_ms


def tell(case: Case, findings: Sequence[Finding], late_ms: int) -> list[Story]:
    """The stories of all windows of a terminal that lie in the scenario, in order of time. late_ms: a later one is
    `late`. findings: of all terminals.
    """
    truth, name = case.truth, case.terminal
    own = [finding for finding in findings if finding.terminal in {"", name}]
    placed = place(case.journal, truth)
    boots = _boots(placed, truth)
    spanned = in_span(placed, truth)
    came = {name: _came(sink, spanned) for name, sink in case.sinks.items()}
    stories = [
        _of(one, boots, {name: at_ms[number] for name, at_ms in came.items()}, case, own, late_ms)
        for number, one in enumerate(spanned)
    ]
    told = [*stories, *_lost(own, truth, case.sinks, late_ms)]
    return sorted((replace(one, terminal=name) for one in told), key=lambda story: (story.from_ms, story.to_ms))


def _of(
    one: Placed,
    boots: Mapping[int, int],
    at_sinks: Mapping[str, int | None],
    case: Case,
    findings: Sequence[Finding],
    late_ms: int,
) -> Story:
    kept = one.kept
    began_ms = boots.get(kept.sent_boot)
    # starts are known to a second: a frame was sent no later than it was committed
    sent_ms = None if began_ms is None else min(began_ms + kept.sent_uptime_ms, kept.committed_ms)
    own = [finding for finding in findings if (finding.from_ms, finding.to_ms) == (one.from_ms, one.to_ms)]
    readings = zip(case.points, one.window.readings, strict=False)  # one with more has a finding
    none = [(point, slot) for point, slot in readings if not isinstance(slot, Reading) and slot is not None]
    until_ms = max([kept.committed_ms, *(at_ms or 0 for at_ms in at_sinks.values())])
    is_late = kept.committed_ms - one.to_ms > late_ms
    return Story(
        one.from_ms,
        one.to_ms,
        "wrong" if own else "late" if is_late else "gap" if none else "well",
        sent_ms,
        kept.committed_ms,
        at_sinks,
        none,
        list(_then(case.truth, one.from_ms, until_ms)),
        own,
        late_ms,
        (one.window.boot, kept.seq),
    )


def _lost(findings: Iterable[Finding], truth: Truth, sinks: Iterable[str], late_ms: int) -> Iterator[Story]:
    """A story for each quarter of an hour of which the oracle says that its window is lost."""
    nowhere = dict.fromkeys(sinks)
    for finding in findings:
        if finding.code != "window_lost":
            continue
        for from_ms in range(finding.from_ms, finding.to_ms, WINDOW_MS):
            to_ms = min(from_ms + WINDOW_MS, finding.to_ms)
            troubles = list(_then(truth, from_ms, truth.end_ms))
            yield Story(from_ms, to_ms, "lost", None, None, nowhere, [], troubles, [finding], late_ms)


def _boots(placed: Sequence[Placed], truth: Truth) -> dict[int, int]:
    """When each start of the terminal was."""
    known = {life.boot: life.from_ms for life in truth.lives if life.boot is not None}
    return {**known, **{one.window.boot: one.to_ms - one.window.end_uptime_s * 1000 for one in placed}}


def _came(sink: Sink, windows: Sequence[Placed]) -> list[int | None]:
    """When each window came to a platform, the first time."""
    first: dict[int, int] = {}
    for upload in sink.uploads:
        first.setdefault(upload.start_ms, upload.came_ms)
    return [None if start_ms is None else first[start_ms] for start_ms in match(windows, first)]


def _then(truth: Truth, from_ms: int, to_ms: int) -> Iterator[Trouble]:
    return (one for one in truth.troubles if one.from_ms < to_ms and one.to_ms > from_ms)
