"""A file of vectors: ids that stay, every flag defined once and used."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.protocol.forge.content import Content
from tests.protocol.forge.tree import Item, Sealing

VERDICTS = {"truncated": "incomplete"} | dict.fromkeys(("version", "kid", "record_type", "kind"), "unknown")
VERDICTS |= {"algorithm": "refused", "mac": "refused"}  # all others: malformed


@dataclass
class Book:
    """Vectors of one file. Ids count within a group: new cases go to a group's end, so that no id changes meaning."""

    letter: str
    about: str
    flags: dict[str, str]  # name: the mistake that a vector with it catches
    terminal: str = "T0001"
    keys: dict[str, str] = field(default_factory=lambda: {"1": bytes(range(32)).hex()})
    vectors: list[dict[str, Any]] = field(default_factory=list)
    sealed: bool = True  # False: bare records, without terminal and keys

    def _add(self, group: str, clause: str, flag: str, comment: str, **rest: Any) -> None:
        number = 1 + sum(1 for one in self.vectors if one["id"].startswith(f"{self.letter}-{group}-"))
        for name in flag.split():
            if name not in self.flags:
                raise ValueError(f"no flag {name}")
        head = {"id": f"{self.letter}-{group}-{number:03}", "comment": comment, "clause": clause, "flags": flag.split()}
        who = {"terminal": self.terminal, "keys": self.keys} if self.sealed else {}
        self.vectors.append({**head, **who, **rest})

    def valid(
        self,
        clause: str,
        flag: str,
        comment: str,
        data: bytes,
        content: Content,
        *,
        group: str = "valid",
        **others: Any,
    ) -> None:
        """Bytes that are taken, and what they say. `others`: terminal, keys."""
        self._add(group, clause, flag, comment, **others, hex=data.hex(), result="valid", content=content)

    def invalid(
        self, group: str, clause: str, flag: str, comment: str, data: bytes, reason: str, at: Item | int, **others: Any
    ) -> None:
        """Bytes that are not, with the reason and the byte (or the item, laid out, that begins there)."""
        expected = {
            "result": "invalid",
            "verdict": VERDICTS.get(reason, "malformed"),
            "reason": reason,
            "offset": at.at if isinstance(at, Item) else at,
        }
        self._add(group, clause, flag, comment, **others, hex=data.hex(), **expected)

    def refuse(
        self, group: str, clause: str, flag: str, comment: str, payload: Item, reason: str, at: Item | None = None,
        **sealing: Any,
    ) -> None:  # fmt: skip
        """As `invalid`, for a payload that is sealed correctly; without `at` the payload's end is named."""
        frame = Sealing(**sealing).seal(payload)
        data = frame.lay()
        self.invalid(group, clause, flag, comment, data, reason, at or len(data) - 34)

    def text(self) -> str:
        """The file."""
        unused = set(self.flags) - {name for one in self.vectors for name in one["flags"]}
        if unused:
            raise ValueError(f"flags that no vector has: {sorted(unused)}")
        head = {"about": self.about, "flags": {name: {"catches": text} for name, text in self.flags.items()}}
        lines = [json.dumps(one, ensure_ascii=False) for one in self.vectors]
        start = json.dumps(head, ensure_ascii=False, indent=1)[:-2]
        return start + ',\n "vectors": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n"
