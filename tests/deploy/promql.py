"""What of PromQL our rules and dashboards use: whether an expression is well formed, and which metrics it asks for.

Prometheus' documentation, "Querying": expressions, operators, functions. No more than we use: all else is an error.
"""

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?![\w.]))|(?P<duration>\d+[smhdw](?![\w]))|(?P<name>[A-Za-z_][A-Za-z0-9_:]*)"
    r"|(?P<text>\"[^\"]*\")|(?P<op>=~|!~|!=|==|<=|>=|[-+*/(){}\[\],=<>]))"
)
FUNCTIONS = {"rate": 1, "increase": 1, "deriv": 1, "abs": 1, "histogram_quantile": 2}
OF_RANGE = {"rate", "increase", "deriv"}
AGGREGATIONS = {"sum", "min", "max", "avg", "count"}
LEVELS = (("or",), ("and", "unless"), ("==", "!=", "<", ">", "<=", ">="), ("+", "-"), ("*", "/"))


class Selector(NamedTuple):
    """A metric that an expression asks for, its label matchers, and whether over a range."""

    metric: str
    labels: dict[str, str]
    is_range: bool


class Query(NamedTuple):
    """What an expression says: the metrics, and the labels by which it groups."""

    selectors: list[Selector]
    grouped: set[str]


def parse(text: str) -> Query:
    """Raises ValueError where it is no expression that Prometheus takes."""
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise ValueError(f"{text!r}: what is {text[at:][:20]!r}?")
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        self._at = 0
        self._found = Query([], set())

    def query(self) -> Query:
        self._binary(0)
        if self._at < len(self._tokens):
            raise self._error("an operator, or the end")
        return self._found

    def _error(self, wanted: str) -> ValueError:
        return ValueError(f"{self._text!r}: {wanted} is wanted, not {self._peek() or 'the end'!r}")

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self, *allowed: str) -> bool:
        if self._peek() in allowed and self._tokens[self._at][0] != "text":
            self._at += 1
            return True
        return False

    def _need(self, allowed: str) -> None:
        if not self._take(allowed):
            raise self._error(allowed)

    def _kind(self, kind: str) -> str:
        if self._at >= len(self._tokens) or self._tokens[self._at][0] != kind:
            raise self._error(f"a {kind}")
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _binary(self, level: int) -> None:
        if level == len(LEVELS):
            self._unary()
            return
        self._binary(level + 1)
        while self._take(*LEVELS[level]):
            if self._take("on", "ignoring"):
                self._labels()
            self._binary(level + 1)

    def _unary(self) -> None:
        self._take("-")
        if self._take("("):
            self._binary(0)
            self._need(")")
        elif self._tokens[self._at : self._at + 1] and self._tokens[self._at][0] == "number":
            self._at += 1
        else:
            self._named(self._kind("name"))
        if self._take("offset"):
            self._kind("duration")

    def _named(self, name: str) -> None:
        if name in AGGREGATIONS:
            if self._take("by", "without"):
                self._found.grouped.update(self._labels())
            self._call(name, 1)
        elif name in FUNCTIONS:
            first = len(self._found.selectors)
            self._call(name, FUNCTIONS[name])
            asked = self._found.selectors[first:]
            if name in OF_RANGE and not (asked and all(one.is_range for one in asked)):
                raise ValueError(f"{self._text!r}: {name} is of a range")
        elif self._peek() == "(":
            raise ValueError(f"{self._text!r}: no function {name}")
        else:
            self._selector(name)

    def _call(self, name: str, arguments: int) -> None:
        self._need("(")
        for number in range(arguments):
            if number:
                self._need(",")
            self._binary(0)
        if not self._take(")"):
            raise self._error(f") behind {arguments} arguments of {name}")

    def _selector(self, metric: str) -> None:
        labels: dict[str, str] = {}
        if self._take("{"):
            while not self._take("}"):
                name = self._kind("name")
                if not self._take("=", "!=", "=~", "!~"):
                    raise self._error("a matcher")
                labels[name] = self._kind("text")[1:-1]
                if not self._take(",") and self._peek() != "}":
                    raise self._error("}")
        is_range = self._take("[")
        if is_range:
            self._kind("duration")
            self._need("]")
        self._found.selectors.append(Selector(metric, labels, is_range))

    def _labels(self) -> list[str]:
        self._need("(")
        names = []
        while not self._take(")"):
            names.append(self._kind("name"))
            if not self._take(",") and self._peek() != ")":
                raise self._error(")")
        return names
