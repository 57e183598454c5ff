"""The form in which an explainer answers: verdict, reason, fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Finding = dict[str, Any]  # {"verdict": ok|incomplete|malformed|unknown|refused, "reason": str, "fields": {...}}


def finding(verdict: str, reason: str, fields: dict[str, Any]) -> Finding:
    """One finding; `reason` is "" when ok, else "code: what and where; what next"."""
    return {"verdict": verdict, "reason": reason, "fields": fields}


def several(data: bytes, first_of: Callable[[bytes, list[Finding]], tuple[Finding, int]]) -> Finding:
    """All frames of one line of a capture.

    `first_of(rest, before)` explains the first frame of `rest`, having seen the frames before it, and says how many
    bytes it has; 0 ends the line. One frame is given as it is; of several, the first's fields, with all under
    "frames" and the verdict and reason of the first that is not ok.
    """
    found: list[Finding] = []
    at = 0
    while at < len(data):
        one, size = first_of(data[at:], found)
        found.append(one)
        if size == 0:
            break
        at += size
    if not found:
        return finding("incomplete", "empty: no bytes 没有数据", {})
    if len(found) == 1:
        return found[0]
    worst = next((one for one in found if one["verdict"] != "ok"), found[0])
    return finding(worst["verdict"], worst["reason"], {**found[0]["fields"], "frames": found})
