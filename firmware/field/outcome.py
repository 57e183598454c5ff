"""What a step of the technician's work came to: the form in which each answers, on the screen, in JSON, in a report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

State = Literal["passed", "failed", "cannot_tell", "skipped"]
BAD, NO_ANSWER, REFUSED = 1, 3, 4  # exit status of a step that did not pass; 2 is wrong usage
STATE_WORDS = {"passed": "通过", "failed": "未通过", "cannot_tell": "无法判断", "skipped": "已跳过"}


@dataclass(frozen=True)
class Finding:
    """One thing that was found. code: stable, for programs. advice: what to do next; "" where nothing is to be done."""

    code: str
    en: str
    zh: str
    advice_en: str = ""
    advice_zh: str = ""

    def lines(self) -> Iterator[str]:
        """For a person, both languages."""
        yield f"{self.en} / {self.zh}"
        if self.advice_en:
            yield f"  do / 处理: {self.advice_en} / {self.advice_zh}"


@dataclass(frozen=True)
class Outcome:
    """A step's end. data: what it measured, as JSON takes it. bad_status: the exit status if it did not pass."""

    step: str
    state: State
    findings: tuple[Finding, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)
    bad_status: int = BAD

    @property
    def is_done(self) -> bool:
        """Whether the next step may begin."""
        return self.state in {"passed", "skipped"}

    @property
    def exit_status(self) -> int:
        """Of a command that does this step alone."""
        return 0 if self.is_done else self.bad_status

    def as_json(self) -> dict[str, Any]:
        """What `from_json` takes."""
        return {**asdict(self), "findings": [asdict(one) for one in self.findings]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Outcome:
        """Raises KeyError, TypeError for what `as_json` did not make."""
        findings = tuple(Finding(**one) for one in data["findings"])
        return cls(**{**data, "findings": findings})

    def lines(self) -> Iterator[str]:
        """For a person, both languages."""
        yield f"{self.step}: {self.state} / {STATE_WORDS[self.state]}"
        for one in self.findings:
            yield from (f"  {line}" for line in one.lines())


def passed(step: str, *findings: Finding, **data: Any) -> Outcome:
    """A step that passed."""
    return Outcome(step, "passed", findings, data)


def failed(step: str, *findings: Finding, bad_status: int = BAD, **data: Any) -> Outcome:
    """A step that did not."""
    return Outcome(step, "failed", findings, data, bad_status)
