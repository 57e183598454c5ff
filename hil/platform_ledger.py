"""What an HJ 212 platform has taken in, and what came twice. Pure: packets in, accounts out; the file is its caller's.

The oracle compares `Ledger.values` with what the meters showed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from gateway.hj212.packet import Item, Segment
from gateway.hj212.split import Joiner

LOG = "3020"  # log texts go by it, and other things that we do not send
Key = tuple[str, str, str]  # MN, CN, DataTime: what a message is about


@dataclass(slots=True)
class Counts:
    """How often what happened.

    packets: accepted, repeats included. repeats: same MN, QN and content. duplicates: values delivered again under
    another QN. conflicts: values that contradict an earlier one. qn_reused: same MN and QN, other content.
    messages: uploads complete in all their parts. damaged: could not be read. lost: neither kept nor answered.
    out_of_rule: refused by a strict platform. resent: said so by RF=1 (2025). encrypted: came so.
    log_texts: of CN 3020.
    """

    packets: int = 0
    repeats: int = 0
    duplicates: int = 0
    conflicts: int = 0
    qn_reused: int = 0
    messages: int = 0
    damaged: int = 0
    lost: int = 0
    out_of_rule: int = 0
    resent: int = 0
    encrypted: int = 0
    log_texts: int = 0


@dataclass(slots=True)
class Ledger:
    """`values[(MN, CN, DataTime)][name]` is the first value delivered; `complete` are the messages with all parts.

    `log_texts` are (MN, DataTime, text) as they came: several of one instant say different things, and are no values.
    """

    values: dict[Key, dict[str, str]] = field(default_factory=dict)
    complete: set[Key] = field(default_factory=set)
    log_texts: list[Key] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    _seen: dict[tuple[str, str], Segment] = field(default_factory=dict)
    _last_qns: dict[str, str] = field(default_factory=dict)
    _joiner: Joiner = field(default_factory=Joiner)

    def accept(self, segment: Segment) -> dict[str, object]:
        """Takes an upload in and returns its journal row. Said to be sent again (RF) it is no other packet."""
        self.counts.packets += 1
        self.counts.resent += segment.rf is not None
        row = asdict(segment)
        segment = replace(segment, rf=None)
        earlier = self._seen.get((segment.mn, segment.qn))
        if earlier == segment:
            self.counts.repeats += 1
        else:
            self.counts.qn_reused += earlier is not None
            self._seen[segment.mn, segment.qn] = segment
            self._last_qns[segment.mn] = max(self.last_qn(segment.mn), segment.qn)
            self._enter(segment)
            message = self._joiner.add(segment)
            if message is not None:
                self.counts.messages += 1
                self.complete.add((message.mn, message.cn, message.data_time))
        return {"kind": "upload", **row, "repeat": earlier == segment}

    def lose(self, segment: Segment) -> dict[str, object]:
        """Notes an upload that the platform was told not to keep."""
        self.counts.lost += 1
        return {"kind": "lost", "mn": segment.mn, "qn": segment.qn}

    def refuse(self, segment: Segment, reasons: Sequence[str]) -> dict[str, object]:
        """Notes an upload that a strict platform does not take."""
        self.counts.out_of_rule += 1
        return {"kind": "refused", "mn": segment.mn, "qn": segment.qn, "cn": segment.cn, "reasons": list(reasons)}

    def last_qn(self, mn: str) -> str:
        """The greatest QN that a station has used; "" before the first."""
        return self._last_qns.get(mn, "")

    def knows(self, segment: Segment) -> bool:
        """Whether it is one that was accepted before, and comes again."""
        return self._seen.get((segment.mn, segment.qn)) == replace(segment, rf=None)

    def damage(self, reason: str) -> dict[str, object]:
        """Notes a packet that could not be read; it gets no answer."""
        self.counts.damaged += 1
        return {"kind": "damaged", "reason": reason}

    def _enter(self, segment: Segment) -> None:
        if segment.cn == LOG:
            texts = [value for item in segment.cp for name, value in item if name.endswith("-Info")]
            self.log_texts += [(segment.mn, segment.value("DataTime") or "", one) for one in texts]
            self.counts.log_texts = len(self.log_texts)
            return
        known = self.values.setdefault((segment.mn, segment.cn, segment.value("DataTime") or ""), {})
        for name, value in (pair for item in segment.cp for pair in item):
            if name == "DataTime":
                continue
            if name not in known:
                known[name] = value
            elif known[name] == value:
                self.counts.duplicates += 1
            else:
                self.counts.conflicts += 1


def load(journal: Path) -> Ledger:
    """The ledger of a journal file written by the emulator; a last line cut short by a kill is left out."""
    ledger = Ledger()
    for row in _rows(journal.read_text("utf-8").splitlines() if journal.exists() else []):
        if row["kind"] == "upload":
            ledger.accept(_segment(row))
        elif row["kind"] == "damaged":
            ledger.damage(row["reason"])
        elif row["kind"] in {"lost", "refused"}:
            ledger.counts.lost += row["kind"] == "lost"
            ledger.counts.out_of_rule += row["kind"] == "refused"
    return ledger


def _rows(lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    for line in lines:
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def _segment(row: dict[str, Any]) -> Segment:
    cp: tuple[Item, ...] = tuple(tuple((str(name), str(value)) for name, value in item) for item in row["cp"])
    return Segment(
        **{name: row[name] for name in ("qn", "st", "cn", "pw", "mn", "flag", "pnum", "pno")}, cp=cp, rf=row.get("rf")
    )
