"""What is lost, doubled and invented in a sink: what it was to get against what it holds. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

Name = Any  # of a record, or of a message, in the sink's own words; it can be hashed


class Account(msgspec.Struct):
    """Of one sink. repeated: what came again and counts once, by the sink's own rule."""

    delivered: int = 0
    lost: int = 0
    duplicated: int = 0
    invented: int = 0
    repeated: int = 0
    findings: list[str] = []

    @property
    def is_clean(self) -> bool:
        """Whether nothing is lost, doubled or invented."""
        return not (self.lost or self.duplicated or self.invented)


FINDINGS_MAX = 20  # of one sink; the counts say how many there are


def judge(expected: Mapping[Name, Any], held: Iterable[tuple[Name, Any]], told_again: Mapping[Name, int]) -> Account:
    """expected: the content of each name; held: (name, content) as often as the sink holds it.

    told_again: of what was ordered to be told again, how often more the same may be there; each one more counts as
    doubled. A content that is not the expected one, and a name that nobody sent, is invented.
    """
    account, told = Account(), defaultdict[Name, int](int)
    for name, content in held:
        if name not in expected or expected[name] != content:
            account.invented += 1
            _find(account, f"invented: {name}: {content!r}, expected {expected.get(name)!r}")
            continue
        told[name] += 1
    for name in expected:
        count, copies_allowed = told.get(name, 0), 1 + told_again.get(name, 0)
        account.delivered += count > 0
        account.lost += not count
        account.repeated += max(0, min(count, copies_allowed) - 1)
        account.duplicated += max(0, count - copies_allowed)
        if not count:
            _find(account, f"lost: {name}")
        elif count > copies_allowed:
            _find(account, f"doubled: {name} came {count} times, {copies_allowed} are explained")
    return account


def _find(account: Account, text: str) -> None:
    if len(account.findings) < FINDINGS_MAX:
        account.findings.append(text)
