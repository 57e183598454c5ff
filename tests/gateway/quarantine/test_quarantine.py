"""Quarantine keeps evidence within its bounds, and a flood under one name can't wash out what others said."""

import sqlite3
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import QuarantineConfig
from gateway.database import StoreUnavailableError
from gateway.quarantine import quarantine as module
from gateway.quarantine.quarantine import Quarantine, QuarantineReader, Refused
from gateway.quarantine.weights import share_of


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


def test_a_flood_under_invented_names_washes_out_nothing_of_those_that_are_admitted(tmp_path: Path) -> None:
    """P-35 S-21."""
    store = Quarantine(tmp_path, QuarantineConfig(max_frames=50))
    store.add([refused("T0001", data=b"1"), refused("T0002", data=b"2"), refused("new", reason="terminal")])
    for number in range(0, 500, 50):
        names = [f"U{one:06}" for one in range(number, number + 50)]
        store.add([refused(name, reason="terminal", at_ms=2000 + number) for name in names])
    kept = [one.refused.source for one in QuarantineReader(tmp_path).newest(1000)]
    assert len(kept) == 50
    assert kept[-2:] == ["T0002", "T0001"]
    assert kept[0] == "U000499"
    assert len(store._weights._shares) == 3


shares_st = st.sampled_from(["", "A", "B", "C"])
refusals_st = st.lists(st.tuples(shares_st, st.sampled_from(["mac", "terminal"]), st.integers(0, 9)), max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(refusals_st, st.integers(0, 3)), max_size=6), st.integers(1, 12), st.integers(1, 40))
def test_what_goes_is_what_the_naive_model_lets_go(
    batches: list[tuple[list[tuple[str, str, int]], int]], max_frames: int, max_bytes: int
) -> None:
    """P-35: frame by frame, the oldest of whoever has most; whoever is not admitted counts to one share."""
    with tempfile.TemporaryDirectory() as name:
        store = Quarantine(Path(name), QuarantineConfig(max_frames=max_frames))
        store._max_bytes = max_bytes
        model: list[Refused] = []
        for batch, removed in batches:
            some = [refused(source, bytes(size), reason, number) for number, (source, reason, size) in enumerate(batch)]
            model += some
            assert store.add(some) == forget(model, max_frames, max_bytes)
            kept = list(QuarantineReader(Path(name)).newest(100))[::-1]
            assert [one.refused for one in kept] == model
            gone = kept[:removed]
            assert store.remove([one.id for one in gone]) == len(gone)
            model = [one.refused for one in kept[removed:]]
            assert store.size == (len(model), sum(len(one.data) for one in model))
            store.close()  # what it knows is read again
        store.close()


def forget(model: list[Refused], max_frames: int, max_bytes: int) -> int:
    """Let go of what is too much; how many went."""
    count = 0
    while len(model) > max_frames or sum(len(one.data) for one in model) > max_bytes:
        by_frames, weight = len(model) > max_frames, Counter[str]()
        for one in model:
            weight[share_of(one.source, one.reason)] += 1 if by_frames else len(one.data)
        loudest = max(weight, key=lambda share: (weight[share], share))
        model.remove(next(one for one in model if share_of(one.source, one.reason) == loudest))
        count += 1
    return count


def test_a_store_of_version_1_is_brought_up_to_date(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / module.FILE) as connection:
        connection.executescript((module.SCHEMA / "0001.sql").read_text("utf-8") + "PRAGMA user_version = 1;")
        connection.execute("INSERT INTO refused VALUES (5, 1, 'A', 't', 'mac', 0, 3, x'010203')")
        connection.execute("INSERT INTO unknown VALUES ('U', 1, 2, 3)")
    connection.close()
    store = Quarantine(tmp_path, QuarantineConfig())
    assert store.size == (1, 3)
    assert [one.id for one in QuarantineReader(tmp_path).newest(9)] == [5]
    assert QuarantineReader(tmp_path).unknown() == [("U", 1, 2, 3)]
    with sqlite3.connect(tmp_path / module.FILE) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    connection.close()


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
