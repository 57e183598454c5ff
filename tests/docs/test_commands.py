"""Each command that a page shows is one that the real command line knows, with each of its options."""

from pathlib import Path

import pytest

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
