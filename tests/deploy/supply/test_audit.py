"""P-431: pinned packages are held against a list of advisories that was fetched before."""

import json
import sys
import zipfile
from pathlib import Path

import pytest

from deploy.supply import audit, pins


def advisory(name: str, **affected: object) -> dict[str, object]:
    """A document as OSV's schema 1.7 has it."""
    package = {"package": {"ecosystem": "PyPI", "name": name}, **affected}
    return {"id": "PYSEC-2026-1", "modified": "2026-11-01T00:00:00Z", "summary": "reads too far", "affected": [package]}


def between(*events: dict[str, str]) -> list[dict[str, object]]:
    return [{"type": "ECOSYSTEM", "events": list(events)}]


@pytest.mark.parametrize(
    ("version", "events", "is_affected"),
    [
        ("1.4", [{"introduced": "0"}, {"fixed": "1.5"}], True),
        ("1.5", [{"introduced": "0"}, {"fixed": "1.5"}], False),
        ("1.5", [{"introduced": "0"}, {"last_affected": "1.5"}], True),
        ("1.5.1", [{"introduced": "0"}, {"last_affected": "1.5"}], False),
        ("2.1", [{"introduced": "0"}, {"fixed": "1.5"}, {"introduced": "2.0"}, {"fixed": "2.2"}], True),
        ("1.9", [{"introduced": "2.0"}, {"fixed": "2.2"}, {"introduced": "0"}, {"fixed": "1.5"}], False),
        ("1.10", [{"introduced": "1.9"}], True),
        ("1.0rc1", [{"introduced": "1.0"}], False),
        ("0.0.dev1", [{"introduced": "0"}], True),
        ("1.0", [{"introduced": "no version"}], True),
    ],
)
def test_versions_are_in_a_range_as_osv_has_it(
    version: str, events: list[dict[str, str]], *, is_affected: bool
) -> None:
    """P-431: events in any order; what can't be read is told rather than passed over."""
    one = audit.Affected(ranges=[audit.Range("ECOSYSTEM", events)])
    assert audit.is_affected(version, one) is is_affected


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["audit", *words])
    return audit.main()


def test_a_pinned_version_of_the_list_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """P-431: by zip and by folder; names as PEP 503 has them; withdrawn ones and other ecosystems left out."""
    pin = next(one for one in pins.pins_of(pins.LOCK) if one.name == "paho-mqtt")
    other = advisory("paho-mqtt", versions=[pin.version])
    other["withdrawn"] = "2026-11-02T00:00:00Z"
    foreign = advisory("paho-mqtt", versions=[pin.version])
    foreign["affected"][0]["package"]["ecosystem"] = "npm"  # type: ignore[index]
    documents = [advisory("Paho_MQTT", versions=[pin.version]), other, foreign, advisory("msgspec", versions=["0.0"])]
    for number, one in enumerate(documents):
        (tmp_path / f"{number}.json").write_text(json.dumps(one))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for number in range(len(documents)):
            archive.write(tmp_path / f"{number}.json", f"{number}.json")
    for path in (tmp_path, tmp_path / "all.zip"):
        assert run(monkeypatch, str(path)) == 1
        said = capsys.readouterr().out
        assert f"requirements.lock: paho-mqtt {pin.version}: PYSEC-2026-1: reads too far" in said
        assert " 1 findings" in said
    (tmp_path / "0.json").unlink()
    assert run(monkeypatch, str(tmp_path)) == 0


def test_what_is_not_checked_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """P-431: no list, an empty one, a broken one: three answers, and none of them is "nothing found"."""
    assert run(monkeypatch) == 0
    assert "SKIPPED" in capsys.readouterr().out
    assert run(monkeypatch, str(tmp_path)) == 2
    assert "no advisory of PyPI in it" in capsys.readouterr().err
    (tmp_path / "x.json").write_text('{"id": "PYSEC-1"}')
    assert run(monkeypatch, str(tmp_path)) == 2
    assert "x.json: no OSV document" in capsys.readouterr().err
    (tmp_path / "all.zip").write_bytes(b"PK cut")
    assert run(monkeypatch, str(tmp_path / "all.zip")) == 2
    assert "no zip file" in capsys.readouterr().err.replace("not a zip", "no zip")
    assert run(monkeypatch, str(tmp_path / "nowhere.zip")) == 2


def test_a_list_of_another_ecosystem_is_no_clean_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """P-431: it would find nothing, whatever is pinned; nor is one taken whose times say no zone."""
    document = advisory("paho-mqtt")
    document["affected"][0]["package"]["ecosystem"] = "npm"  # type: ignore[index]
    (tmp_path / "x.json").write_text(json.dumps(document))
    assert run(monkeypatch, str(tmp_path)) == 2
    assert "no advisory of PyPI in it" in capsys.readouterr().err
    (tmp_path / "x.json").write_text(json.dumps(advisory("paho-mqtt") | {"modified": "2026-11-01T00:00:00"}))
    assert run(monkeypatch, str(tmp_path)) == 2
    assert "x.json: no OSV document" in capsys.readouterr().err
