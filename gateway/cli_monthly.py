"""`wattline gateway monthly`: the monthly electricity health report of each enterprise, as a sheet and as CSV."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli_common import (
    AsLines,
    Config,
    examples,
    fail,
    load,
    load_enterprises,
    load_registry,
    open_spans,
    print_json,
)
from gateway.cli_damage import UNREADABLE, is_damage, told
from gateway.clock import SystemClock
from gateway.config import GatewayConfig
from gateway.database import NewerSchemaError, StoreUnavailableError
from gateway.export.rows import rows
from gateway.monthly.account import DAY_S, Month, account
from gateway.monthly.page import page
from gateway.monthly.table import table
from gateway.watch import enterprises
from gateway.watch.enterprises import Enterprise
from gateway.watch.slots import SLOT_S
from gateway.watch.store import Row, Store
from protocol.host.printable import printable

ALARMS_MAX = 1_000  # of a month: a sheet tells how many, and shows the newest

MonthText = Annotated[str, typer.Option("--month", metavar="YYYY-MM", help="By the tariff's zone. 月份")]
One = Annotated[str | None, typer.Option("--enterprise", help="This one only, by its id. 仅此企业")]
Out = Annotated[Path, typer.Option(help="A folder for ENTERPRISE-MONTH.html and .csv. 输出目录")]


def monthly(
    config: Config, month: MonthText, enterprise: One = None, out: Out = Path(), *, as_json: AsLines = False
) -> None:
    """A sheet for each enterprise: run hours, linkage rate, energy by tariff period, CO2, completeness, alarms. 月报

    Needs `enterprises` in gateway.toml; its table `tariff` has periods and the grid's factor. The sheet prints to A4.
    An enterprise whose readings are damaged is named and gets none, the others get theirs; then it ends with 1.
    """
    loaded = load(config)
    known = [one for one in load_enterprises(config, loaded) if enterprise in {None, one.id}]
    if not known:
        fail(f"{enterprise}: not in {loaded.enterprises} / 文件中没有此企业")
    tariff = enterprises.load_tariff(Path(str(loaded.enterprises)))
    registry, now_s = load_registry(loaded), SystemClock().now_ms() // 1000
    from_s, to_s = _span(month, tariff.offset_s, now_s)
    damage: Exception | None = None
    with closing(open_spans(Path(loaded.data_dir))) as spans:
        for one in known:
            terminals = sorted({point.terminal for point in one.points})
            try:
                counted = account(one, registry, tariff, rows(spans, terminals, from_s - SLOT_S, to_s), (from_s, to_s))
            except UNREADABLE as error:
                if not is_damage(error):
                    raise
                damage = error
                _say_damaged(one, month, error, as_json=as_json)
                continue
            files = _write(out, month, counted, _alarms(loaded, one, from_s, to_s), now_s)
            if as_json:
                print_json({"enterprise": one.id, "month": month, "files": list(map(str, files))})
            else:
                typer.echo(f"{one.id}: {', '.join(map(str, files))}")
    if damage is not None:
        fail(*told(damage, Path(loaded.data_dir)))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("monthly", epilog=examples("monthly --config gateway.toml --month 2026-03 --out reports"))(monthly)


def _say_damaged(one: Enterprise, month: str, error: Exception, *, as_json: bool) -> None:
    if as_json:
        print_json({"enterprise": one.id, "month": month, "damaged": str(error)})
    typer.echo(f"{one.id}: no sheet, its readings are damaged / 数据损坏，未出月报: {printable(str(error))}", err=True)


def _write(out: Path, month: str, counted: Month, alarms: list[Row], now_s: int) -> list[Path]:
    try:
        out.mkdir(parents=True, exist_ok=True)
        stem = f"{counted.enterprise.id}-{month}"
        files = [out / f"{stem}.html", out / f"{stem}.csv"]
        files[0].write_text(page(counted, alarms, now_s), encoding="utf-8")
        files[1].write_text(table(counted), encoding="utf-8", newline="")
    except OSError as error:
        fail(f"{out}: {error}")
    return files


def _alarms(loaded: GatewayConfig, one: Enterprise, from_s: int, to_s: int) -> list[Row]:
    try:
        with closing(Store(Path(loaded.data_dir))) as store:
            return store.meeting(one.id, from_s, to_s, ALARMS_MAX)
    except (StoreUnavailableError, NewerSchemaError) as error:
        fail(str(error))


def _span(month: str, offset_s: int, now_s: int) -> tuple[int, int]:
    """[from_s, to_s) of a month, local midnights; of one that is not over the days that are."""
    try:
        first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
        after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    except ValueError:
        fail(f"{month}: not a month / 不是月份: YYYY-MM")
    from_s, today_s = int(first.timestamp()) - offset_s, (now_s + offset_s) // DAY_S * DAY_S - offset_s
    if today_s <= from_s:
        fail(f"{month}: no day of it is over / 该月尚无完整的一天")
    return from_s, min(int(after.timestamp()) - offset_s, today_s)
