"""`wattline gateway export`: the journal's readings as a file."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli_common import (
    AsJson,
    Config,
    OneTerminal,
    examples,
    fail,
    load,
    open_spans,
    parse_time,
    print_json,
    time_text,
)
from gateway.export.export import export as write_file
from gateway.export.rows import rows
from gateway.export.writers import Format, MissingExtraError

USAGE = 2


def export(
    config: Config,
    from_: Annotated[str, typer.Option("--from", help="First instant, ISO 8601, UTC unless it says. 起始时刻")],
    to: Annotated[str, typer.Option("--to", help="End, not included. 结束时刻（不含）")],
    out: Annotated[Path, typer.Option("--out", help="The file to make; never over another. 输出文件")],
    form: Annotated[Format, typer.Option("--format", help="Parquet needs the extra `export`. 格式")] = "csv",
    terminal: OneTerminal = None,
    as_json: AsJson = False,
) -> None:
    """Write every reading of a span, one row a point and window, marks and none-because included. 导出数据

    Windows count by their start. The gateway may run. Columns and units: gateway/export/columns.py.
    """
    from_s, to_s = parse_time(from_), parse_time(to)
    if from_s >= to_s:
        raise typer.BadParameter("--from must be before --to / 起始时刻须早于结束时刻")
    loaded = load(config)
    spans = open_spans(Path(loaded.data_dir))
    known, retired_ms = spans.terminals(), spans.kept_from_ms()
    if terminal is not None and terminal not in known:
        fail(f"{terminal}: no record of it / 没有该终端的数据")
    asked = list(known) if terminal is None else [terminal]
    try:
        count = write_file(rows(spans, asked, from_s, to_s), form, out)
    except FileExistsError:
        fail(f"{out}: exists already; nothing is written over / 文件已存在，不会覆盖")
    except MissingExtraError as error:
        typer.echo(f"Parquet needs the package '{error}', not installed; run: pip install 'wattline[export]'", err=True)
        typer.echo(f"Parquet 需要软件包 {error}，尚未安装；请运行: pip install 'wattline[export]'", err=True)
        raise typer.Exit(USAGE) from error
    except OSError as error:
        fail(f"{out}: can't be written / 无法写入: {error.strerror}")
    finally:
        spans.close()
    retired_until = time_text(retired_ms) if retired_ms > from_s * 1000 else None
    if as_json:
        retired = {"retired_until": retired_until} if retired_until else {}
        print_json({"file": str(out), "format": form, "rows": count, **retired})
    else:
        if retired_until:
            typer.echo(
                f"what was received before {retired_until} was retired: not in it / 此前的数据已按保留期清除", err=True
            )
        typer.echo(f"{out}: {count} rows / 行")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "export",
        epilog=examples(
            "export --config gateway.toml --from 2026-03-01 --to 2026-04-01 --format parquet --out march.parquet",
            "export --config gateway.toml --from 2026-03-01 --to 2026-03-02 --out day.csv --terminal T0001",
        ),
    )(export)
