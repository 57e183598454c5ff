"""Each text reads the same on a git host and in the site, whose Markdown is stricter about where a table begins."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.commands import REPO

TEXTS = [
    *sorted(REPO.glob("*.md")),
    *sorted((REPO / "docs").rglob("*.md")),
    *sorted((REPO / "protocol").rglob("*.md")),
    *sorted((REPO / "firmware/device").glob("*/README.md")),
]


def _misread(text: str) -> Iterator[str]:
    """Lines outside blocks of code that only one of the two reads as what they are meant for."""
    outside = re.sub(r"^(`{3,})[^`]*\n.*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
    before = ""
    lines = outside.splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        begins_table = line.startswith("|") and not before.startswith("|")
        begins_list = re.match(r"(- |\d+\. )", line) and not re.match(r"(- |\d+\. |#|\s)", before)
        if (begins_table or begins_list) and before.strip():
            yield f"no empty line before: {line}"
        if begins_table and not re.fullmatch(r"\|[ :|-]+\|", after):
            yield f"a row that is in no table: {line}"
        if re.match(r"\[[^\]]+\]: ", line):
            yield f"a link's target, not shown: {line}"
        before = line


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.relative_to(REPO).as_posix())
def test_a_text_reads_the_same_on_a_git_host_and_in_the_site(text: Path) -> None:
    """P-395"""
    words = text.read_text(encoding="utf-8")
    assert list(_misread(words)) == []
    assert [name for name in re.findall(r'<img[^>]*src="([^"]+)"', words) if not (text.parent / name).exists()] == []


def test_what_would_be_misread_is_found() -> None:
    """P-395"""
    assert len(list(_misread("words\n| a |\n|---|\n\n| b |\n\nmore\n- one\n- two\n\n[mqtt]: the broker\n"))) == 4
    assert list(_misread("words\n\n| a |\n|---|\n\n- one\n  goes on\n- two\n\n```\nx\n| y |\n```\n")) == []
