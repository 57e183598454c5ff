"""Export: what comes back from a file is what the journal holds."""

import csv
import json
import sqlite3
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config import VerifyConfig
from gateway.export import export as exporting
from gateway.export.columns import COLUMNS, NAMES
from gateway.export.export import export
from gateway.journal.journal import FILE, Journal
from gateway.registry import Point
from protocol.record import Reading, Window, decode_record
from tests.gateway.support import NOW_S, Sender, accept, commit, event, reading, window, write_config

SENDER = Sender()
FROM_S, TO_S = NOW_S - 20 * 900, NOW_S
POINTS = {number: Point(number=number, name="x", kind="other", rated_power_w=1000) for number in (1, 2)}

absent = st.none() | st.integers(1, 5)
readings = st.builds(
    reading,
    e_import_wh=st.integers(0, 2**53 - 1) | st.none(),
    ua_dv=st.integers(0, 10**6) | st.none(),
    ia_ma=st.integers(-(2**31) + 1, 2**31 - 1) | st.none(),
    pf_milli=st.integers(-1000, 1000) | st.none(),
    q_mean_var=st.integers(-(2**31) + 1, 2**31 - 1) | st.none(),
    flags=st.integers(0, 3),
)
windows = st.tuples(st.booleans(), st.integers(-24, 3), st.lists(absent | readings, max_size=3))


def expected(records: list[tuple[str, bytes, int]], marks: dict[int, Any]) -> list[dict[str, Any]]:
    """The rows of these records, decoded by the other decoder."""
    found = []
    for terminal, raw, received_s in sorted(records, key=lambda one: (one[0], decode_record(one[1]).seq)):
        one = decode_record(raw)
        body = one.body
        if not isinstance(body, Window) or body.start_s is None or not FROM_S <= body.start_s < TO_S:
            continue
        for point, slot in enumerate(body.readings, start=1):
            if slot is None:
                continue
            values = slot._asdict() if isinstance(slot, Reading) else dict.fromkeys(Reading._fields)
            row = {"terminal": terminal, "point": point, "start_unix_s": body.start_s, "length_s": body.length_s}
            row |= {"none_because": None if isinstance(slot, tuple) else slot, "seq": one.seq, "boot": body.boot}
            row |= {"received_unix_ms": received_s * 1000, "samples_due": body.samples_due, "placed": False}
            row |= {"marks": ";".join(sorted({check for check, of in marks[one.seq] if of in {None, point}}))}
            row |= {"clock_source": 3, "clock_error_s": 1, "epoch": 7, "end_uptime_s": body.end_uptime_s, **values}
            row["start_utc"] = datetime.fromtimestamp(body.start_s, UTC)
            row["received_utc"] = datetime.fromtimestamp(received_s, UTC)
            found.append(row)
    return found


@settings(max_examples=40, deadline=None)
@given(st.lists(windows, min_size=1, max_size=12), st.randoms())
def test_parquet_read_back_equals_what_the_journal_holds(made: list[Any], chance: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = write_config(folder, 1883, [SENDER])
        raws = [
            window(seq, NOW_S + cell * 900, list(slots)) if is_window else event(seq)
            for seq, (is_window, cell, slots) in enumerate(made, start=1)
        ]
        order = list(raws)
        chance.shuffle(order)
        journal = Journal(folder / "data", VerifyConfig())
        for raw in order:
            commit(journal, [accept(SENDER, SENDER.frame([raw]), POINTS)])
        journal.close()
        out = folder / "out.parquet"
        span = ("--from", "2026-02-28T19:00:00Z", "--to", "2026-03-01T08:00:00+08:00")
        answer = CliRunner().invoke(
            app, ["export", "--config", str(path), *span, "--format", "parquet", "--out", str(out), "--json"]
        )
        assert answer.exit_code == 0, answer.output
        found = parquet.read_table(out).to_pylist()
        assert json.loads(answer.stdout)["rows"] == len(found)
        marks = marks_of(folder / "data")
        assert found == [
            {name: row[name] for name in NAMES} for row in expected([("T0001", raw, NOW_S) for raw in raws], marks)
        ]


def marks_of(folder: Path) -> dict[int, Any]:
    """The marks that the journal holds, by number, through its other reader."""
    from gateway.journal.reader import Reader  # noqa: PLC0415

    reader = Reader(folder)
    found = {one.seq: one.marks for one in reader.records_after(0, 10_000)}
    reader.close()
    return found


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two terminals: a meter that is silent, a mark, a window without a time that was placed, and one that was not."""
    path = write_config(tmp_path, 1883, [SENDER, Sender("T0002", b"2" * 32)])
    journal = Journal(tmp_path / "data", VerifyConfig())
    other = Sender("T0002", b"2" * 32)
    commit(
        journal,
        [
            accept(SENDER, SENDER.frame([window(1, NOW_S - 1800, [reading(ua_dv=2301), 2])])),
            accept(SENDER, SENDER.frame([window(2, NOW_S - 900, [reading(e_import_wh=5)])])),
            accept(other, other.frame([window(1, None, end_uptime_s=900), window(2, None, boot=9, end_uptime_s=900)])),
            accept(other, other.frame([event(3, NOW_S, uptime_s=1800)])),
        ],
    )
    journal.close()
    return path


def run(config: Path, *more: str) -> tuple[int, str, str]:
    answer = CliRunner().invoke(
        app, ["export", "--config", str(config), "--from", "2026-02-28", "--to", "2026-03-01", *more]
    )
    return answer.exit_code, answer.stdout, answer.stderr


def test_csv_needs_no_extra_and_says_all(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    out = tmp_path / "out.csv"
    assert run(config, "--out", str(out))[0] == 0
    with out.open(newline="") as stream:
        found = list(csv.DictReader(stream))
    assert tuple(found[0]) == NAMES
    shown = [
        (
            row["terminal"],
            row["point"],
            row["start_utc"],
            row["none_because"],
            row["marks"],
            row["placed"],
            row["ua_dv"],
        )
        for row in found
    ]
    assert shown == [
        ("T0001", "1", "2026-02-28T23:30:00Z", "", "", "false", "2301"),
        ("T0001", "2", "2026-02-28T23:30:00Z", "2", "point_unknown", "false", ""),
        ("T0001", "1", "2026-02-28T23:45:00Z", "", "energy_fell", "false", ""),
        ("T0002", "1", "2026-02-28T23:30:00Z", "", "", "true", ""),
    ]
    assert found[0]["received_utc"] == "2026-03-01T00:00:00.000Z"
    assert found[0]["start_unix_s"] == str(NOW_S - 1800)


def test_parquet_without_its_extra_names_it_in_both_languages(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-03"""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    status, _, said = run(config, "--format", "parquet", "--out", str(tmp_path / "x.parquet"))
    assert (status, "pip install 'wattline[export]'" in said, "需要软件包" in said) == (2, True, True)
    assert not list(tmp_path.glob("*x.parquet*"))


def test_one_terminal_and_what_is_not_there(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    status, said, _ = run(config, "--out", str(out), "--terminal", "T0002", "--json")
    assert (status, json.loads(said)) == (0, {"file": str(out), "format": "csv", "rows": 1})
    assert run(config, "--out", str(out))[::2] == (
        1,
        f"{out}: exists already; nothing is written over / 文件已存在，不会覆盖\n",
    )
    assert run(config, "--out", str(tmp_path / "no" / "x.csv"))[0] == 1
    assert run(config, "--out", str(tmp_path / "y.csv"), "--terminal", "T0404")[0] == 1
    assert run(config, "--out", str(tmp_path / "y.csv"), "--to", "2026-02-01")[0] == 2


def test_a_damaged_journal_is_said_and_there_is_no_file(config: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "data" / FILE)) as connection, connection:
        connection.execute("UPDATE blocks SET frames = substr(frames, 1, length(frames) - 3)")
    status, _, said = run(config, "--out", str(tmp_path / "x.csv"))
    assert (status, "run: wattline gateway audit" in said) == (1, True), said
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_rows(tmp_path: Path, form: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "ROWS_A_TIME", 256)
    row = tuple({"text": "T", "flag": True}.get(column.kind, 7) for column in COLUMNS)

    def many(count: int) -> Iterator[Any]:
        return (row for _ in range(count))

    def peak(count: int) -> int:
        tracemalloc.start()
        assert export(many(count), form, tmp_path / f"{count}") == count
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(300)  # what is imported at first use
    assert peak(20_000) < 2 * peak(2_000) + (1 << 20)


def test_a_file_that_fails_on_the_way_is_not_there(tmp_path: Path) -> None:
    def broken() -> Iterator[Any]:
        yield tuple({"text": "T", "flag": True}.get(column.kind, 7) for column in COLUMNS)
        raise OSError("the disk went away")

    with pytest.raises(OSError, match="went away"):
        export(broken(), "csv", tmp_path / "x.csv")
    assert not list(tmp_path.iterdir())


def test_windows_of_many_points_are_more_than_a_frame_can_hold(tmp_path: Path) -> None:
    path = write_config(tmp_path, 1883, [SENDER])
    journal = Journal(tmp_path / "data", VerifyConfig())
    full = [reading(ua_dv=10**6 - n, ia_ma=2**31 - 1, ib_ma=0, ic_ma=0, e_export_wh=2**53 - 1) for n in range(32)]
    for seq in range(1, 21):
        commit(journal, [accept(SENDER, SENDER.frame([window(seq, NOW_S - 900 * seq, full)]))])
    journal.close()
    assert run(path, "--out", str(tmp_path / "x.csv"), "--json")[1].endswith('"rows": 640}\n')
