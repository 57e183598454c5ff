"""A message: one change of an alarm, or several as a digest; as JSON for programs, as text for people. No I/O."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple

from gateway.watch.alarms import CLOSED, WITHDRAWN
from gateway.watch.changes import BECAME, BEGUN, ENDED
from gateway.watch.store import Row
from gateway.watch.words import MEANING, facts_json, facts_text

TEST = "test"
SUBJECT_CHARS_MAX = 150
WORDS: Mapping[str, str] = {
    BEGUN: "Begun / 报警开始",
    BECAME: "Known better / 类型更正",
    ENDED: "Ended / 报警结束",
    CLOSED: "Closed / 报警关闭",
    WITHDRAWN: "Withdrawn, late readings disprove it / 报警撤销（迟到数据表明不成立）",
    TEST: "A test of this channel, no alarm / 通道测试，并非报警",
}

Document = dict[str, Any]  # a change, as JSON has it


class Message(NamedTuple):
    """What a channel is told at once. id: the same at every try."""

    id: str
    told: Sequence[Document]

    @property
    def subject(self) -> str:
        """One line, whatever stands in names: a header can't be made of it."""
        more = f" (+{len(self.told) - 1})" if len(self.told) > 1 else ""
        line = " ".join("".join(one if one.isprintable() else " " for one in self.told[0]["text"]).split())
        return f"Wattline: {line[:SUBJECT_CHARS_MAX]}{more}"

    @property
    def text(self) -> str:
        """A line for each change."""
        head = f"{len(self.told)} changes / 条变化:\n" if len(self.told) > 1 else ""
        return head + "\n".join(one["text"] for one in self.told) + f"\n\n{self.id}\n"

    @property
    def body(self) -> bytes:
        """A document, or a digest of documents, as JSON in UTF-8."""
        whole = self.told[0]
        if len(self.told) > 1:
            whole = {"id": self.id, "change": "digest", "count": len(self.told), "told": list(self.told)}
        return json.dumps(whole, ensure_ascii=False).encode()


def document(message_id: str, change: str, at_ms: int, row: Row, name: str, utc_offset_h: int) -> Document:
    """A change of an alarm. name: of the enterprise, "" where it has none."""
    alarm = {key: getattr(row, key) for key in ("enterprise", "subject", "kind", "state")}
    alarm |= {"number": row.id, "meaning": MEANING[row.kind], "facts": facts_json(row.facts)}
    alarm |= {"from": _time(row.from_s, UTC), "to": _time(row.to_s, UTC), "enterprise_name": name}
    zone = timezone(timedelta(hours=utc_offset_h))
    what = change.partition(".")[0]
    who = f"{row.enterprise} {name}".strip() or "-"
    facts = f" ({facts_text(row.facts)})" if row.facts else ""
    span = f"{_time(row.from_s, zone)} .. {_time(row.to_s, zone)}"
    text = f"{WORDS[what]}: {who}, {row.subject}: {MEANING[row.kind]}{facts}; {span}; no. / 编号 {row.id}"
    return {"id": message_id, "change": what, "at": _time(at_ms // 1000, UTC), "alarm": alarm, "text": text}


def trial(at_ms: int) -> Message:
    """What a channel is tried with."""
    name = f"{TEST}.{at_ms}"
    return Message(name, [{"id": name, "change": TEST, "at": _time(at_ms // 1000, UTC), "text": WORDS[TEST]}])


def _time(unix_s: int, zone: timezone) -> str:
    return datetime.fromtimestamp(unix_s, zone).isoformat().replace("+00:00", "Z")
