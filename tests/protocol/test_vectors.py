"""The vectors themselves: made as they stand, complete, and in words that exist. tests/vm/test_vectors.py runs them."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol import errors, update
from tests.promises import rows
from tests.protocol.make_vectors import BOOKS, OTHERS, VECTORS

REPO = Path(__file__).resolve().parents[2]
FROM_THE_REGISTRY = {"terminal"}  # said by the gateway about a terminal it does not know, never by a decoder
OF_THE_TERMINAL = {"changed", "not_stored", "on_trial", "not_here", "memory"}  # not of a release


def vectors() -> Iterator[dict[str, Any]]:
    for name in BOOKS:
        yield from json.loads((VECTORS / name).read_text(encoding="utf-8"))["vectors"]


@pytest.mark.parametrize("name", sorted(BOOKS))
def test_a_file_is_what_the_generator_makes(name: str) -> None:
    made = BOOKS[name]().text()
    assert made == (VECTORS / name).read_text(encoding="utf-8"), "run: python -m tests.protocol.make_vectors"


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_a_file_about_updates_is_what_the_generator_makes(name: str) -> None:
    assert OTHERS[name]() == (VECTORS / name).read_text(encoding="utf-8"), "run: python -m tests.protocol.make_vectors"


def test_no_file_is_without_generator() -> None:
    found = {file.relative_to(VECTORS).as_posix() for file in VECTORS.rglob("*.json")}
    assert found == {*BOOKS, *OTHERS}


def test_every_refusal_of_a_release_that_its_bytes_can_bring_about_has_a_vector() -> None:
    """FR-81"""
    text = (VECTORS / "update/bundles.json").read_text(encoding="utf-8")
    seen = {one["result"] for one in json.loads(text)["vectors"]}
    known = {name for name, _ in update.REFUSALS.values()}
    assert seen - {"taken"} == known - OF_THE_TERMINAL


def test_the_generator_uses_nothing_of_the_codec() -> None:
    for file in [*(REPO / "tests/protocol/forge").glob("*.py"), REPO / "tests/protocol/make_vectors.py"]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert str(node.module).split(".")[0] not in ("protocol", "cext"), file


def test_ids_are_unique() -> None:
    ids = [one["id"] for one in vectors()]
    assert len(set(ids)) == len(ids)


def test_every_reason_has_a_vector_and_its_verdict() -> None:
    """FR-50"""
    seen = {(one["reason"], one["verdict"]) for one in vectors() if one["result"] == "invalid"}
    wanted = {(reason, verdict) for reason, (verdict, _) in errors.REASONS.items() if reason not in FROM_THE_REGISTRY}
    assert seen == wanted


def test_every_clause_is_one_of_the_specification() -> None:
    clauses = {name for text in ("SPEC.md", "UPDATES.md") for name, _ in rows(REPO / "protocol" / text)}
    assert {one["clause"] for one in vectors()} <= clauses


def test_each_flag_says_what_it_catches_and_means_one_thing_in_a_file() -> None:
    for name in BOOKS:
        flags = json.loads((VECTORS / name).read_text(encoding="utf-8"))["flags"]
        texts = [flag["catches"] for flag in flags.values()]
        assert all(texts)
        assert len(set(texts)) == len(texts), name
