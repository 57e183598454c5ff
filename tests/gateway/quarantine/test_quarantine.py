"""Quarantine keeps evidence within its bounds, and a flood under one name can't wash out what others said."""

from pathlib import Path

import pytest

from gateway.config import QuarantineConfig
from gateway.database import StoreUnavailableError
from gateway.quarantine import quarantine as module
from gateway.quarantine.quarantine import Quarantine, QuarantineReader, Refused


def refused(source: str = "T0001", data: bytes = b"abc", reason: str = "mac", at_ms: int = 1000) -> Refused:
    return Refused(at_ms, source, f"wattline/up/{source}", reason, 7, len(data), data)


def test_what_is_kept_is_found_again_after_a_restart(tmp_path: Path) -> None:
    store = Quarantine(tmp_path, QuarantineConfig())
    store.add([refused(data=b"\x00\xff", reason="kid")])
    store.close()
    (kept,) = QuarantineReader(tmp_path).newest(10)
    assert kept.refused == refused(data=b"\x00\xff", reason="kid")
    assert Quarantine(tmp_path, QuarantineConfig()).size == (1, 2)


def test_when_full_the_oldest_of_the_loudest_source_goes_and_is_counted(tmp_path: Path) -> None:
    """P-35."""
    store = Quarantine(tmp_path, QuarantineConfig(max_frames=10))
    store.add([refused("quiet", at_ms=1)])
    evicted = store.add([refused("loud", data=b"%d" % number, at_ms=number) for number in range(100)])
    assert evicted == 91
    kept = list(QuarantineReader(tmp_path).newest(100))
    assert {one.refused.source for one in kept} == {"quiet", "loud"}
    assert next(one.refused.data for one in kept if one.refused.source == "loud") == b"99"
    assert store.size[0] == len(kept) == 10


def test_bytes_are_bounded_too(tmp_path: Path) -> None:
    store = Quarantine(tmp_path, QuarantineConfig(max_mib=1))
    store.add([refused("quiet", data=b"small") for _ in range(100)])
    store.add([refused("large", data=bytes(4097)) for _ in range(300)])
    assert store.size[1] <= 1 << 20
    assert QuarantineReader(tmp_path).counts() == {"mac": store.size[0]}
    assert sum(one.refused.source == "quiet" for one in QuarantineReader(tmp_path).newest(1000)) == 100


def test_names_not_admitted_are_listed_even_when_their_frames_have_gone(tmp_path: Path) -> None:
    store = Quarantine(tmp_path, QuarantineConfig(max_frames=1))
    store.add([refused("T0009", reason="terminal", at_ms=5), refused("T0008", reason="terminal", at_ms=6)])
    store.add([refused("T0009", reason="terminal", at_ms=9), refused("T0007", reason="mac", at_ms=9)])
    assert QuarantineReader(tmp_path).unknown() == [("T0009", 5, 9, 2), ("T0008", 6, 6, 1)]


def test_the_list_of_names_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNKNOWN_MAX", 3)
    store = Quarantine(tmp_path, QuarantineConfig())
    for number in range(10):
        store.add([refused(f"T{number}", reason="terminal", at_ms=number)])
    assert [one.source for one in QuarantineReader(tmp_path).unknown()] == ["T9", "T8", "T7"]


def test_a_full_disk_keeps_nothing_and_says_so(tmp_path: Path) -> None:
    store = Quarantine(tmp_path, QuarantineConfig())
    store._open().execute("PRAGMA max_page_count = 12")
    with pytest.raises(StoreUnavailableError):
        store.add([refused(data=bytes(4000)) for _ in range(100)])
    store.add([refused()])
    assert store.size == (1, 3)
