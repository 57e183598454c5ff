"""Columns: the same content as the tuples, reached by memoryview or numpy, without copy, without harm to neighbours."""

import gc
import hashlib
import random
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cext import decoder
from hil.benchmarks import realistic
from protocol import frame, record
from tests.cext.both import KEY, STATES, TERMINAL, expect_same, from_columns, payload_of, reseal
from tests.cext.mutation import mutated
from tests.protocol import strategies as ours

FRAMES = st.builds(lambda fields: frame.seal_frame(KEY, TERMINAL, *fields), ours.payload_fields())


def columns_of(frames: list[bytes], *, digests: bool = False) -> decoder.Columns:
    return decoder.decode_columns(frames, [TERMINAL] * len(frames), [STATES] * len(frames), digests=digests)


def typical(seed: int = 1, windows: int = 2) -> bytes:
    """A frame of windows of 9 points and an event."""
    rnd = random.Random(seed)
    records = [record.encode_window(number, realistic.window(rnd, 9, number)) for number in range(windows)]
    event = record.Event(None, 12, 5, 0, 65535, record.LOG_FULL, 3, [7, -8])
    return frame.seal_frame(KEY, TERMINAL, 5, 12, 99, [*records, record.encode_event(windows, event)])


def rows_of(columns: decoder.Columns) -> tuple[bytes, ...]:
    tables = (columns.frames.rows, columns.records.rows, columns.slots.rows, columns.integers)
    return tuple(one.tobytes() for one in tables)


@given(frames=st.lists(FRAMES, max_size=4))
def test_columns_say_what_the_python_codec_says(frames: list[bytes]) -> None:
    """FR-50: put together again, they are its tuples; what is absent is 0 and says so beside it."""
    expect_same(frames)


@given(frames=st.lists(FRAMES, min_size=1, max_size=4))
def test_payloads_alone_give_the_same_rows(frames: list[bytes]) -> None:
    payloads = [payload_of(one) for one in frames]
    alone = decoder.decode_payloads(payloads, digests=True)
    whole = columns_of(frames, digests=True)
    assert whole.slots.rows == alone.slots.rows
    assert whole.integers == alone.integers
    assert whole.records.digest.tolist() == alone.records.digest.tolist()
    assert set(alone.frames.generation.tolist()) == {0}
    for row, n in enumerate(alone.records.frame.tolist()):
        raw = payloads[n][alone.records.begin[row] : alone.records.end[row]]
        assert hashlib.sha256(raw).digest() == bytes(alone.records.digest.tolist()[row])


def test_payloads_are_held_to_the_same_rules() -> None:
    payload = payload_of(typical())
    bad = [b"", b"\x85\x02", payload[:-1], payload + b"\0", payload + bytes(4096), b"\x81\x01"]
    columns = decoder.decode_payloads([payload, *bad, payload])
    said = [
        (decoder.REASON_NAMES[reason], offset)
        for reason, offset in zip(columns.frames.reason, columns.frames.offset, strict=True)
    ]
    size = len(payload)
    cut, longer = ("ends_early", size - 1), ("trailing", size)
    assert said[1:-1] == [("ends_early", 0), ("version", 1), cut, longer, ("oversize", 4096), ("count", 0)]
    assert said[0] == said[-1] == ("", 0)


@given(good=st.lists(FRAMES, min_size=1, max_size=3), bad=FRAMES, seed=st.integers(0, 2**32))
def test_a_bad_frame_changes_nothing_for_its_neighbours(good: list[bytes], bad: bytes, seed: int) -> None:
    """P-22: good frames' rows are, byte for byte, those of a batch without the bad ones."""
    rnd = random.Random(seed)
    mixed, places = [], []
    for one in good:
        mixed += [reseal(mutated(rnd, payload_of(bad))) for _ in range(rnd.randrange(3))]
        mixed += [bad[: rnd.randrange(len(bad))], rnd.randbytes(rnd.randrange(99)), bad[:-1] + bytes([bad[-1] ^ 1])]
        places.append(len(mixed))
        mixed.append(one)
    columns = columns_of(mixed)
    taken = [n for n in range(len(mixed)) if not columns.frames.reason[n]]
    assert set(places) <= set(taken)
    alone = columns_of([mixed[n] for n in taken])
    assert rows_of(columns)[2:] == rows_of(alone)[2:]
    assert [taken.index(n) for n in columns.records.frame] == alone.records.frame.tolist()
    together = from_columns(columns_of(mixed, digests=True), mixed)
    assert [together[n] for n in places] == from_columns(columns_of(good, digests=True), good)


def test_views_are_read_only_and_outlive_what_they_came_from() -> None:
    columns = columns_of([typical()])
    values, powers, kept = columns.slots.values, columns.slots.p_mean_w, columns.slots.p_mean_w.tolist()
    assert values.shape == (18, 20)
    assert values.format == powers.format == "q"
    with pytest.raises(TypeError, match="read-only"):
        powers[0] = 1
    with pytest.raises(TypeError, match="read-only"):
        columns.integers[0] = 1
    del columns
    gc.collect()
    churn = [columns_of([typical(seed)]) for seed in range(50)]
    assert powers.tolist() == kept == [values[row, 3] for row in range(18)]
    assert len(churn) == 50


def test_numpy_sees_all_rows_and_each_column_without_a_copy() -> None:
    columns = columns_of([typical(seed) for seed in range(5)], digests=True)
    for table in (columns.frames, columns.records, columns.slots):
        fields: Any = table.dtype
        rows = np.frombuffer(table.rows, np.dtype(fields))
        assert len(rows) == len(table)
        for name in table.dtype["names"]:
            column = np.asarray(getattr(table, name))
            assert not column.flags.owndata
            assert np.array_equal(rows[name], column)
    assert np.array_equal(np.frombuffer(columns.integers, np.int64), [7, -8] * 5)
    matrix = np.asarray(columns.slots.values)
    assert matrix.shape == (90, 20)
    assert np.array_equal(matrix[:, 6], np.asarray(columns.slots.e_import_wh))
    with pytest.raises((BufferError, ValueError)):
        np.frombuffer(columns.slots.p_mean_w, np.int64)


def test_rows_are_as_dtype_says_also_to_struct() -> None:
    columns = columns_of([typical()])
    offsets = dict(zip(columns.slots.dtype["names"], columns.slots.dtype["offsets"], strict=True))
    size = columns.slots.dtype["itemsize"]
    rows = bytes(columns.slots.rows)
    for row in range(len(columns.slots)):
        (value,) = struct.unpack_from("=q", rows, row * size + offsets["e_import_wh"])
        assert value == columns.slots.e_import_wh[row]


def test_a_table_says_what_it_has() -> None:
    columns = columns_of([typical()])
    assert {"rows", "dtype", "p_mean_w", "values", "point"} <= set(dir(columns.slots))
    assert not hasattr(columns.records, "digest")  # nobody asked for them: an error, not zeros
    with pytest.raises(AttributeError, match="SlotTable has no column p_means"):
        _ = columns.slots.p_means  # type: ignore[attr-defined]


@pytest.mark.parametrize("frames", [[], [b""], [b"", b"\xd1"]])
def test_a_batch_without_a_good_frame_has_empty_tables(frames: list[bytes]) -> None:
    columns = columns_of(frames, digests=True)
    assert len(columns) == len(frames)
    assert len(columns.records) == len(columns.slots) == len(columns.integers) == 0
    assert columns.slots.values.tolist() == columns.records.digest.tolist() == columns.integers.tolist() == []
    assert columns.slots.rows.tobytes() == b""


def test_a_batch_is_bounded() -> None:
    most = 65_536
    assert len(decoder.decode_payloads([b""] * most)) == most
    with pytest.raises(ValueError, match="65536"):
        decoder.decode_payloads([b""] * (most + 1))
    with pytest.raises(ValueError, match="65536"):
        decoder.decode_batch([b""] * (most + 1), [""] * (most + 1), [{}] * (most + 1))


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(TypeError):
        decoder.decode_payloads([None])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        decoder.decode_payloads(["text"])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        decoder.decode_columns([typical()], [TERMINAL], [{1: b"no key state"}])  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="keyrings"):
        decoder.decode_columns([typical()], [TERMINAL], [])


def test_the_most_rows_a_frame_can_have() -> None:
    """64 windows of 32 points without a reading: what the contract says a frame can cost in memory."""
    window = record.Window(None, 1, 0, 0, 0, 0, 0, [record.NONE_SILENT] * 32)
    data = frame.seal_frame(KEY, TERMINAL, 0, 0, 0, [record.encode_window(0, window)] * 64)
    columns = columns_of([data])
    assert len(columns.slots) == 64 * 32
    assert sum(map(len, rows_of(columns))) < 370_000


def test_rows_are_freed() -> None:
    """600 batches of some 2 MB of rows each, columns and tuples, views kept and dropped: the process stays small."""
    code = """
import resource, sys
from cext import decoder
payload = bytes.fromhex(sys.argv[1])
def peak_mib(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
kept = []
for n in range(600):
    columns = decoder.decode_payloads([payload, payload[:-1]] * 500, digests=True)
    kept = [*kept[-3:], columns.slots.values, columns.records.frame]
    decoder.decode_batch([payload], ["T"], [{}])
    if n == 20:
        before = peak_mib()
assert peak_mib() - before < 30, (before, peak_mib())
"""
    words = [sys.executable, "-c", code, payload_of(typical()).hex()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def counting() -> Iterator[list[int]]:
    """A thread that counts while it can."""
    count, done = [0], threading.Event()

    def work() -> None:
        while not done.is_set():
            count[0] += 1

    thread = threading.Thread(target=work)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread.start()
    try:
        yield count
    finally:
        done.set()
        thread.join()
        sys.setswitchinterval(interval)


def test_other_threads_run_while_a_batch_is_decoded() -> None:
    """P-23: the GIL is released. A thread that gets its turn only between our lines counts far less."""
    payloads = [payload_of(typical(windows=7))] * 20_000  # some 60 ms of work, all in one call
    with counting() as count:
        before = count[0]
        decoder.decode_payloads(payloads)
        assert count[0] - before > 5_000


def test_numpy_is_not_needed() -> None:
    code = "import sys; from cext import decoder; decoder.decode_payloads([b'']).slots.values; print(list(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "'cext.decoder'" in done.stdout
    assert "numpy" not in done.stdout
