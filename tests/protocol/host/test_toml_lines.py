"""Where the keys of a TOML file stand."""

import tomllib
from pathlib import Path

import pytest

from hil.scenario import FOLDER
from protocol.host.toml_lines import key_lines, line_of

TEXT = '''\
# a = 1
title = "not = a [table]" # nor { this
long = """
[no]
x = 1
"""
"quoted key" = 'y'
escaped = """x \\""" y"""
at = 2026-03-01 00:00:00+08:00
list = [
    { a = 1, b = { c = [2, 3] } }, # d = 4

    { a = 5 },
]
[table]
one.two = 1
[[rows]]
x = 1
[[rows]]
y = 2
[[rows.deep]]
z = [{ q = 1 }]
'''


def test_every_key_is_found_on_its_line() -> None:
    found = key_lines(TEXT)
    assert found == {
        "title": 2,
        "long": 3,
        "quoted key": 7,
        "escaped": 8,
        "at": 9,
        "list": 10,
        "list[0]": 11,
        "list[0].a": 11,
        "list[0].b": 11,
        "list[0].b.c": 11,
        "list[0].b.c[0]": 11,
        "list[0].b.c[1]": 11,
        "list[1]": 13,
        "list[1].a": 13,
        "table": 15,
        "table.one.two": 16,
        "rows[0]": 17,
        "rows[0].x": 18,
        "rows[1]": 19,
        "rows[1].y": 20,
        "rows[1].deep[0]": 21,
        "rows[1].deep[0].z": 22,
        "rows[1].deep[0].z[0]": 22,
        "rows[1].deep[0].z[0].q": 22,
    }


def test_of_a_key_that_is_missing_the_table_around_it_is_named() -> None:
    found = key_lines(TEXT)
    assert line_of("list[1].what.deep", found) == 13
    assert line_of("table.missing", found) == 15
    assert line_of("nowhere", found) == 0
    assert line_of("", found) == 0
    assert line_of('a"]', found) == 0  # written in quotes, with signs of its own


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.toml")), ids=lambda file: file.stem)
def test_of_a_real_file_every_key_is_found(file: Path) -> None:
    """As many as the standard library's parser finds."""
    text = file.read_text(encoding="utf-8")
    paths = set(_paths(tomllib.loads(text), ""))
    assert paths == set(key_lines(text))


def _paths(value: object, at: str) -> list[str]:
    inner: list[tuple[str, object]] = []
    if isinstance(value, dict):
        inner = [(f"{at}.{key}" if at else key, one) for key, one in value.items()]
    elif isinstance(value, list):
        inner = [(f"{at}[{number}]", one) for number, one in enumerate(value)]
    return [path for key, one in inner for path in (key, *_paths(one, key))]
