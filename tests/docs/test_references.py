"""The references say what the declarations say, and the check that holds them to it can fail."""

from pathlib import Path
from typing import Annotated

import msgspec
import pytest

from docs.site import references, terminal_json
from docs.site.declared import Key, tables


class Inner(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """[[inner]]: a table."""

    size_w: Annotated[int, msgspec.Meta(ge=1, le=5000)] = 20  # of the plate
    # what it is called
    # by people
    name: str


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    """The file."""

    inner: list[Inner]


def test_a_key_has_its_bounds_its_default_and_its_comments() -> None:
    """P-391"""
    outer, inner = tables(Outer)
    assert (outer.name, outer.keys) == ("", [])
    assert (inner.name, inner.meaning) == ("inner[]", "`[[inner]]`: a table.")
    assert inner.keys == [
        Key("size_w", "1 to 5,000", "`20`", "of the plate"),
        Key("name", "text", "must be there", "what it is called by people"),
    ]


def test_each_page_is_what_the_declarations_say() -> None:
    """P-391: here, and as `make check` asks for it."""
    for page, lines in references.PAGES.items():
        text = (references.REFERENCE / page).read_text(encoding="utf-8")
        assert text == "\n".join(lines()) + "\n", f"{page}: run `make references`"


def test_a_page_that_is_out_of_date_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-391"""
    monkeypatch.setattr(references, "REFERENCE", tmp_path)
    assert references.main([]) == 0
    assert references.main(["--check"]) == 0
    page = tmp_path / "metrics.md"
    page.write_text(page.read_text(encoding="utf-8").replace("counter", "gauge", 1), encoding="utf-8")
    assert references.main(["--check"]) == 1


def test_a_key_that_the_terminal_reads_and_the_page_lacks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """P-391"""
    assert {key.name for key in terminal_json.rows()} == terminal_json.MEANING.keys()
    without = {name: text for name, text in terminal_json.MEANING.items() if name != "sntp.port"}
    monkeypatch.setattr(terminal_json, "MEANING", without)
    with pytest.raises((AssertionError, KeyError), match=r"sntp\.port"):
        terminal_json.rows()
