"""Captured bytes, line by line, into findings: what `wattline explain` does between its input and its output.

One line holds one message: hexadecimal digits, blanks and colons between them ignored; for HJ 212 also the plain
text as captured. The explainers themselves belong to the protocols (entry point group `wattline.explain`).
"""

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from protocol.host.printable import printable

Finding = dict[str, Any]
Explainer = Callable[[bytes], Finding]

# The longest message of any protocol here is HJ 212's, 10 kB, which is 20 kB of hex; blanks may triple that.
MAX_LINE_BYTES = 64 * 1024
# A bus at one message every 100 ms fills a day with 864,000 lines. A larger capture is split by whoever made it.
MAX_LINES = 1_000_000

VERDICTS = {
    "ok": "正常",
    "incomplete": "不完整",
    "malformed": "格式错误",
    "unknown": "未知",
    "refused": "拒绝",
}


def findings(stream: BinaryIO, explain: Explainer, *, text: bool) -> Iterator[Finding]:
    """One finding per line of `stream`, in order; a line over MAX_LINE_BYTES is a finding too, and the next goes on.

    text: a line that is not hex is the message itself (HJ 212). Ends after MAX_LINES with a finding that says so.
    """
    for _ in range(MAX_LINES):
        line = stream.readline(MAX_LINE_BYTES + 2)
        if not line:
            return
        if len(line.rstrip(b"\r\n")) > MAX_LINE_BYTES:
            _skip_rest_of_line(stream, line)
            yield _malformed(f"line-too-long: more than {MAX_LINE_BYTES} bytes in one line; one message a line")
        else:
            yield finding(line, explain, text=text)
    if stream.read(1):
        yield _malformed(f"too-many-lines: stopped after {MAX_LINES} lines; split the capture")


def finding(line: bytes, explain: Explainer, *, text: bool) -> Finding:
    """What one line means."""
    line = line.rstrip(b"\r\n")
    try:
        message = bytes.fromhex(line.decode("ascii").replace(":", " "))
    except ValueError as error:  # UnicodeDecodeError is one
        if not text:
            return _malformed(f"not-hex: {error}; hex digits in pairs are expected, blanks allowed")
        # The line's end was the message's own end mark before the capture was cut into lines.
        message = line + b"\r\n"
    return explain(message)


def render(found: Finding) -> str:
    """A finding for people: the verdict in both languages and its reason, then a field a line, nested ones indented."""
    verdict = str(found["verdict"])
    head = f"{verdict} {VERDICTS.get(verdict, '')}".rstrip()
    if found["reason"]:
        head += f": {printable(found['reason'])}"
    return "\n".join([head, *_field_lines(found["fields"], indent=1)])


def _field_lines(value: Any, indent: int) -> Iterator[str]:
    pairs = value.items() if isinstance(value, dict) else ((f"[{i}]", item) for i, item in enumerate(value))
    for name, item in pairs:
        head = f"{'  ' * indent}{printable(name)}:"
        if isinstance(item, (dict, list, tuple)) and item:
            yield head
            yield from _field_lines(item, indent + 1)
        else:
            yield f"{head} {'-' if item is None else printable(item)}"


def _skip_rest_of_line(stream: BinaryIO, line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = stream.readline(MAX_LINE_BYTES)


def _malformed(reason: str) -> Finding:
    return {"verdict": "malformed", "reason": reason, "fields": {}}
