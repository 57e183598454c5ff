"""Each command that a page or a `--help` shows is one that the real command line knows, with each of its options."""

from pathlib import Path

import pytest
from rich import markup

from tests.docs import commands


@pytest.mark.parametrize("page", commands.PAGES, ids=lambda page: page.relative_to(commands.REPO).as_posix())
def test_each_command_of_a_page_is_known_with_each_of_its_options(page: Path) -> None:
    """P-392"""
    refused = [
        f"{one.text}: {why}"
        for one in commands.shown(page)
        for words in commands.simple(one.text)
        if (why := commands.refusal(words))
    ]
    assert refused == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("wattline gateway status --config gateway.toml --verbose", "status: No such option: --verbose"),
        ("wattline gateway statuses", "gateway: no command statuses"),
        ("wattline gateway status now", "status: takes no now"),
        ("cd x && .venv/bin/wattline field plan site.toml --out", "plan: Option '--out' requires an argument."),
        ("make demos", "no target demos"),
        ("python -m hil.benches", "no module hil.benches"),
    ],
)
def test_a_command_that_is_not_known_is_found(text: str, why: str) -> None:
    """P-392"""
    assert [found for words in commands.simple(text) if (found := commands.refusal(words))] == [why]


def test_each_command_says_how_it_is_called_and_how_it_ends() -> None:
    """P-509"""
    lacking = [
        words
        for words, asked in commands.helps()
        if not hasattr(asked, "commands")
        and not (commands.examples(asked) and "Exit status" in f"{asked.help}{asked.epilog}")
    ]
    assert lacking == []


def test_each_example_of_a_help_is_known_with_each_of_its_options() -> None:
    """P-509"""
    shown = [(words, line) for words, asked in commands.helps() for line in commands.examples(asked)]
    assert len(shown) > len(list(commands.helps()))
    refused = [
        f"{words}: {line}: {why}"
        for words, line in shown
        for one in commands.simple(line)
        if (why := commands.refusal(one))
    ]
    assert refused == []


def test_no_word_of_a_help_is_taken_for_its_layout() -> None:
    """P-509: what stands in brackets as layout does is not shown."""
    swallowed = [
        f"{words}: {text}"
        for words, asked in commands.helps()
        for text in (asked.help, asked.epilog, *(getattr(one, "help", None) for one in asked.params))
        if text and markup.render(text).plain != text
    ]
    assert swallowed == []
