"""Every explainer, found as `wattline explain` finds it, keeps the form that the command counts on."""

import json
from importlib.metadata import entry_points

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gateway import command
from gateway.explain import VERDICTS, Explainer

PROTOCOLS = ("frame", "modbus-rtu", "modbus-tcp", "hj212", "dlt645")
# Beginnings that get past an explainer's first look: random bytes alone seldom do.
HEADS = (b"", bytes.fromhex("d18447a201050441"), b"\x01\x03", b"\x00\x01\x00\x00\x00\x06", b"##0010", b"\xfe\xfe\x68")


def explainer_of(protocol: str) -> Explainer:
    (entry,) = entry_points(group=command.EXPLAINERS, name=protocol)
    explainer: Explainer = entry.load()
    return explainer


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(head=st.sampled_from(HEADS), rest=st.binary(max_size=400))
def test_any_bytes_get_a_verdict_a_reason_and_fields(protocol: str, head: bytes, rest: bytes) -> None:
    """P-02"""
    found = explainer_of(protocol)(head + rest)
    assert set(found) == {"verdict", "reason", "fields"}
    assert found["verdict"] in VERDICTS
    assert bool(found["reason"]) == (found["verdict"] != "ok")
    json.dumps(found)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_at_all_is_incomplete(protocol: str) -> None:
    assert explainer_of(protocol)(b"")["verdict"] == "incomplete"


def test_a_real_modbus_request_is_explained_as_the_readme_shows() -> None:
    result = CliRunner().invoke(command.app, ["explain", "--protocol", "modbus-rtu", "01 03 00 00 00 02 c4 0b"])
    assert result.exit_code == command.OK
    assert result.output.startswith("ok 正常\n")
