"""Reads a user's interval data: a CSV file with a time column and a column of kWh per interval.

Nothing is silently bent: what is repaired or decided is a note, what cannot be right is an error with its line.
"""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import Literal, NamedTuple

Order = Literal["auto", "year-first", "day-first", "month-first"]

_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})[ T](\d{1,2}):(\d{2})(?::(\d{2}))?$")
_SLASHED = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})[ T](\d{1,2}):(\d{2})(?::(\d{2}))?$")
_FINDINGS_MAX = 20  # a file in the wrong format is wrong in every line; twenty show how
_ROWS_MAX = 1_100_000  # two years of minutes
_KWH_MAX = Decimal(10) ** 9  # in an interval: more than any plant, and a number that costs nothing
_DAY = timedelta(days=1)


class LoadFileError(ValueError):
    """A file that is not taken; `findings` says where and why."""

    def __init__(self, path: Path, findings: Sequence[str]) -> None:
        more = len(findings) - _FINDINGS_MAX
        self.findings = [*findings[:_FINDINGS_MAX], *([f"and {more} more / 另有 {more} 处"] if more > 0 else [])]
        count = f"{path}: {len(findings)} problems, nothing is played / 共 {len(findings)} 处问题，未运行"
        super().__init__("\n".join([*(f"{path}: {finding}" for finding in self.findings), count]))


class Intervals(NamedTuple):
    """Energies of consecutive intervals, the first beginning at `start` (the file's own local time)."""

    start: datetime
    interval_s: int
    energies_wh: list[Fraction]
    notes: list[str]


class _Row(NamedTuple):
    line: int
    time: str
    energy: str
    more: bool  # values beyond the columns


def read_intervals(path: Path, time_column: str, energy_column: str, order: Order = "auto") -> Intervals:
    """The intervals of a CSV file. Raises LoadFileError."""
    rows = _rows(path, time_column, energy_column)
    found = _order(path, rows, order)
    findings: list[str] = []
    stamps = [_stamp(row, found, findings) for row in rows]
    energies = [_energy_wh(row, findings) for row in rows]
    if findings:
        raise LoadFileError(path, findings)
    notes = [f"dates are {found} / 日期格式: {found}" + ("" if order == "auto" else " (as told / 按指定)")]
    interval = _interval(path, stamps)
    repaired = _repair_midnights(stamps, interval)
    if repaired:
        count, line = len(repaired), rows[repaired[0]].line
        notes.append(
            f"{count} rows, the first in line {line}, are stamped 00:00 of the day that they end: read as 24:00 / "
            f"{count} 行（自第 {line} 行起）把日末记作当日 00:00，按 24:00 处理"
        )
    _check_steps(path, rows, stamps, interval)
    ends = bool(repaired) or _since_midnight(stamps[0]) == interval
    notes.append(
        "stamps mark the end of an interval / 时间戳为区间结束" if ends else "stamps mark its start / 时间戳为区间开始"
    )
    start = stamps[0] - interval if ends else stamps[0]
    return Intervals(start, int(interval.total_seconds()), energies, notes)


def _rows(path: Path, time_column: str, energy_column: str) -> list[_Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            missing = [name for name in (time_column, energy_column) if name not in columns]
            if missing:
                text = f'no column / 没有列 "{missing[0]}"; there are / 可用: {", ".join(columns)}'
                raise LoadFileError(path, [text])
            twice = [name for name in (time_column, energy_column) if columns.count(name) > 1]
            if twice:
                raise LoadFileError(path, [f'line 1: the column "{twice[0]}" is there twice / 第 1 行列名重复'])
            rows = [
                _Row(reader.line_num, row[time_column] or "", row[energy_column] or "", None in row)
                for row in islice(reader, _ROWS_MAX + 1)
            ]
    except OSError as error:
        raise LoadFileError(path, [f"cannot be read / 无法读取: {error.strerror}"]) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise LoadFileError(path, [f"no CSV file in UTF-8 / 不是 UTF-8 的 CSV: {error}"]) from error
    if len(rows) > _ROWS_MAX:
        raise LoadFileError(path, [f"more than {_ROWS_MAX} intervals / 区间过多"])
    if len(rows) < 2:
        raise LoadFileError(path, ["fewer than two intervals / 少于两个区间"])
    return rows


def _order(path: Path, rows: Sequence[_Row], order: Order) -> str:
    """Which number of a date is the day: told, or certain from the data; never guessed."""
    if order != "auto":
        return order
    if _ISO.match(rows[0].time.strip()):
        return "year-first"
    dates = [match for row in rows if (match := _SLASHED.match(row.time.strip()))]
    day_first = any(int(match[1]) > 12 for match in dates)
    month_first = any(int(match[2]) > 12 for match in dates)
    if day_first == month_first:
        why = "no date tells day from month" if dates and not day_first else "neither yyyy-mm-dd nor dd/mm/yyyy"
        how = "say --date-order day-first or month-first / 请用 --date-order 指定"
        raise LoadFileError(path, [f"date order unknown / 日期顺序不明: {why}; {how}"])
    return "day-first" if day_first else "month-first"


def _stamp(row: _Row, order: str, findings: list[str]) -> datetime:
    text = row.time.strip()
    match = (_ISO if order == "year-first" else _SLASHED).match(text)
    if match:
        first, second, third = int(match[1]), int(match[2]), int(match[3])
        year, month, day = {
            "year-first": (first, second, third),
            "day-first": (third, second, first),
            "month-first": (third, first, second),
        }[order]
        try:
            return datetime(year, month, day, int(match[4]), int(match[5]), int(match[6] or 0))  # noqa: DTZ001  local
        except ValueError:
            pass  # reported below, like any other text that is no time
    findings.append(f'line {row.line}: no {order} time / 第 {row.line} 行时间无效: "{text}"')
    return datetime.min  # noqa: DTZ901  never used: findings end the reading


def _energy_wh(row: _Row, findings: list[str]) -> Fraction:
    try:
        energy = Decimal(row.energy.strip())
    except InvalidOperation:
        energy = Decimal("NaN")
    if row.more:
        text = "more values than columns: is there a comma in a number? / 值多于列，数字中是否有逗号？"
        findings.append(f"line {row.line}: {text}")
        return Fraction(0)
    if not energy.is_finite() or not 0 <= energy <= _KWH_MAX:
        findings.append(f'line {row.line}: no energy in kWh / 第 {row.line} 行电量无效: "{row.energy}"')
        return Fraction(0)
    return Fraction(energy) * 1000


def _interval(path: Path, stamps: Sequence[datetime]) -> timedelta:
    """The commonest step."""
    interval, _ = Counter(after - before for before, after in pairwise(stamps)).most_common(1)[0]
    if not timedelta(minutes=1) <= interval <= _DAY:
        raise LoadFileError(path, [f"intervals of {interval}: 1 minute to 1 day / 区间应为 1 分钟到 1 天"])
    return interval


def _repair_midnights(stamps: list[datetime], interval: timedelta) -> list[int]:
    """Move end-of-day rows that are stamped 00:00 of their own day to the day's end; which ones."""
    repaired = []
    for at in range(1, len(stamps)):
        at_midnight = _since_midnight(stamps[at]) == timedelta(0)
        if at_midnight and stamps[at] - stamps[at - 1] == interval - _DAY:
            stamps[at] += _DAY
            repaired.append(at)
    return repaired


def _check_steps(path: Path, rows: Sequence[_Row], stamps: Sequence[datetime], interval: timedelta) -> None:
    findings = []
    for row, (before, after) in zip(rows[1:], pairwise(stamps), strict=True):
        step = after - before
        if step == timedelta(0):
            findings.append(f"line {row.line}: repeats {after} / 第 {row.line} 行重复")
        elif step < timedelta(0):
            findings.append(f"line {row.line}: goes back from {before} to {after} / 第 {row.line} 行时间倒退")
        elif step != interval:
            findings.append(f"line {row.line}: a gap before it, {before} to {after} / 第 {row.line} 行之前有缺口")
    if findings:
        raise LoadFileError(path, findings)


def _since_midnight(stamp: datetime) -> timedelta:
    return stamp - stamp.replace(hour=0, minute=0, second=0, microsecond=0)
