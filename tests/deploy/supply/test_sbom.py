"""P-430: whoever installs Wattline can see what comes with it."""

import json
from importlib.metadata import requires
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from packaging.requirements import Requirement

from deploy.supply import pins, sbom


def test_the_bill_names_all_that_is_installed_as_it_is_pinned_and_holds_to_its_schema() -> None:
    """P-430: every package that the wheel needs is in the bill, with the lock's version and hashes."""
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415  (2.5 s, of every worker at its start)

    text = sbom.written(sbom.bill())
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    listed = {one["name"]: one for one in json.loads(text)["components"]}
    pinned = {one.name: one for one in pins.pins_of(pins.LOCK)}
    plain = [Requirement(text) for text in requires("wattline") or () if "extra" not in text]
    assert len(plain) >= 7
    for need in plain:
        one = listed[pins.normalized(need.name)]
        assert one["version"] == pinned[one["name"]].version
        assert {entry["content"] for entry in one["hashes"]} == set(pinned[one["name"]].hashes)
    assert {"uPlot", "pyserial", "esptool", "starlette"} <= listed.keys()
    assert "pytest" not in listed
    assert all(one["licenses"] for one in listed.values())


def test_the_same_commit_gives_the_same_bill() -> None:
    """P-430: byte by byte."""
    assert sbom.written(sbom.bill()) == sbom.written(sbom.bill())


def test_a_pin_without_a_hash_is_told(tmp_path: Path) -> None:
    """P-430: the bill names no package whose bytes nobody noted."""
    lock = tmp_path / "x.lock"
    lock.write_text("left==1.0 \\\n    --hash=sha256:" + "a" * 64 + "\nright==2.0\n")
    with pytest.raises(ValueError, match=r"right==2\.0 pinned by hash: run make lock"):
        pins.pins_of(lock)
    lock.write_text("")
    with pytest.raises(ValueError, match="nothing pinned"):
        pins.pins_of(lock)
