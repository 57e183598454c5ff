"""Files as tables: a file that is right is taken in one go, and just as one that is gone through key by key."""

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.registry import RegistryFile
from protocol.host import strict
from protocol.host.strict import ConfigError, Problem

FILE = Path("terminals.toml")
VALUES = st.sampled_from(
    ["T0001", "T0001\n", "", " ", 0, 1, 33, -1, 10**15, 1.5, True, [], {}, ["a"], {"a": 1}, "other"]
)


def table() -> dict[str, Any]:
    point = {"number": 1, "name": "furnace", "kind": "production", "rated_power_w": 1000, "meter": {"serial": 5}}
    terminal = {"id": "T0001", "keys": [{"generation": 1, "file": "a.hex"}], "points": [point, point | {"number": 2}]}
    return {"terminal": [terminal, terminal | {"id": "T0002"}]}


def places(value: Any) -> list[tuple[Any, Any]]:
    """(dict or list, key or place) of everything in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(value, name) for name, _ in items] + [one for _, each in items for one in places(each)]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["put", "drop", "add"]), VALUES)
def test_a_table_is_taken_in_one_go_exactly_where_it_is_key_by_key(seed: int, what: str, value: Any) -> None:
    """P-376."""
    given_table, chance = table(), random.Random(seed)
    holder, name = chance.choice(places(given_table))
    if what == "put":
        holder[name] = value
    elif what == "drop":
        del holder[name]
    elif isinstance(holder, dict):
        holder["added"] = value
    problems: list[Problem] = []
    wanted = strict._convert(given_table, RegistryFile, FILE, "", problems)
    try:
        found, told = strict.convert(given_table, RegistryFile, FILE), list[Problem]()
    except ConfigError as error:
        found, told = wanted, error.problems
    assert (found, told) == (wanted, problems)


@pytest.mark.parametrize("value", ["T0001\n", "T0001"])
def test_a_line_s_end_behind_a_name_is_refused(value: str) -> None:
    """P-376: which msgspec would let pass."""
    given_table = table()
    given_table["terminal"][1]["id"] = value
    if value.endswith("\n"):
        with pytest.raises(ConfigError, match=r"terminal\[1\].id"):
            strict.convert(given_table, RegistryFile, FILE)
    else:
        assert strict.convert(given_table, RegistryFile, FILE).terminal[1].id == value
