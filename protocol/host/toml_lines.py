"""On which line of a TOML file each key stands, so that a person finds what a message is about."""

import re
from collections.abc import Iterator

_SIGN = re.compile(
    r"(?P<skip>[ \t\r]+|#[^\n]*)|(?P<line>\n)"
    r'|(?P<long>"""(?s:\\.|.)*?"{3,5}|'
    r"'{3}(?s:.*?)'{3})"
    r"""|(?P<string>"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
    r"""|(?P<mark>[\[\]{}=,])|(?P<word>\d{4}-\d\d-\d\d \d\d:[^\s\[\]{}=,#"']+|[^\s\[\]{}=,#"']+)"""
)


def key_lines(text: str) -> dict[str, int]:
    """The line, from 1, of each key of a valid TOML text, by its dotted path: `mqtt.port`, `faults[2].what`."""
    return dict(_Walk(text).everything())


def line_of(key: str, lines: dict[str, int]) -> int:
    """The line of a key, or of the nearest table around it; 0: of neither."""
    while key and key not in lines:
        shorter = re.sub(r"(\.[^.\[\]]*|\[\d+\]|^[^.\[\]]*)$", "", key)
        if shorter == key:  # a key that was written in quotes, with signs of its own
            return 0
        key = shorter
    return lines.get(key, 0)


class _Walk:
    """Goes once through the signs. The text has been parsed before: nothing here is checked."""

    def __init__(self, text: str) -> None:
        self._signs = list(_signs(text))
        self._at = 0

    def everything(self) -> Iterator[tuple[str, int]]:
        """(path, line) of all keys, in their order."""
        table = ""
        counts: dict[str, int] = {}
        while self._at < len(self._signs):
            sign, line = self._signs[self._at]
            if sign == "\n":
                self._at += 1
            elif sign == "[":
                is_list = self._signs[self._at + 1][0] == "["
                self._at += 2 if is_list else 1
                table = self._header(counts, is_list=is_list)
                yield table, line
            else:
                yield from self._pair(table)

    def _header(self, counts: dict[str, int], *, is_list: bool) -> str:
        """The path of the table that begins: in the newest element of each list on its way. counts: of each list."""
        *above, last = self._path("]").split(".")
        table = ""
        for part in above:
            table = f"{table}.{part}" if table else part
            if table in counts:
                table = f"{table}[{counts[table]}]"
        table = f"{table}.{last}" if table else last
        if is_list:
            self._at += 1
            counts[table] = counts.get(table, -1) + 1
            table = f"{table}[{counts[table]}]"
        return table

    def _pair(self, table: str) -> Iterator[tuple[str, int]]:
        line = self._signs[self._at][1]
        path = self._path("=")
        path = f"{table}.{path}" if table else path
        yield path, line
        yield from self._value(path)

    def _path(self, end: str) -> str:
        """The dotted key up to a mark, which is passed over."""
        parts = []
        while (sign := self._signs[self._at][0]) != end:
            parts.append(sign.strip("\"'"))
            self._at += 1
        self._at += 1
        return "".join(parts)

    def _value(self, path: str) -> Iterator[tuple[str, int]]:
        sign = self._signs[self._at][0]
        self._at += 1
        if sign not in {"[", "{"}:
            return
        number = 0
        while (inner := self._signs[self._at])[0] not in {"]", "}"}:
            if inner[0] in {",", "\n"}:
                self._at += 1
            elif sign == "{":
                yield from self._pair(path)
            else:
                yield f"{path}[{number}]", inner[1]
                yield from self._value(f"{path}[{number}]")
                number += 1
        self._at += 1


def _signs(text: str) -> Iterator[tuple[str, int]]:
    line = 1
    for found in _SIGN.finditer(text):
        if found.lastgroup != "skip":
            yield found[0], line
        line += found[0].count("\n")
