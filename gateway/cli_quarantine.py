"""`wattline gateway quarantine`: look at refused frames."""

from typing import Annotated, Any

import typer

from gateway.cli_common import (
    AsJson,
    Config,
    examples,
    fail,
    line_text,
    load,
    open_quarantine,
    print_json,
    time_text,
)
from gateway.quarantine.quarantine import Kept
from protocol.errors import REASONS

app = typer.Typer(no_args_is_help=True, help="Refused frames, kept with their reason. 隔离区：被拒绝的报文")


@app.command("list", epilog=examples("quarantine list --config gateway.toml --reason mac --limit 20"))
def quarantine_list(
    config: Config,
    source: Annotated[str | None, typer.Option(help="Of this terminal only. 仅此终端")] = None,
    reason: Annotated[str | None, typer.Option(help="Of this reason only, e.g. mac. 仅此原因")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, newest first. 最多条数")] = 50,
    as_json: AsJson = False,
) -> None:
    """Refused frames, the newest first. 列出被拒绝的报文"""
    store = open_quarantine(load(config))
    rows = [_kept_row(kept) for kept in store.newest(limit, source, reason)]
    counts = store.counts()
    store.close()
    if as_json:
        print_json({"counts": counts, "refused": rows})
        return
    for row in rows:
        typer.echo(f"{row['id']:>8}  {row['received']}  {row['source'] or '-':<32}  {row['reason']} @{row['offset']}")
    typer.echo(f"kept / 共: {line_text(counts)}")


@app.command("show", epilog=examples("quarantine show --config gateway.toml 17"))
def quarantine_show(
    config: Config,
    number: Annotated[int, typer.Argument(metavar="ID", help="As listed. 列表中的编号")],
    as_json: AsJson = False,
) -> None:
    """One refused frame with its bytes. 显示一条被拒绝的报文"""
    store = open_quarantine(load(config))
    kept = store.get(number)
    store.close()
    if kept is None:
        fail(f"{number}: no such frame in quarantine / 隔离区没有此编号; see `wattline gateway quarantine list`")
    row = {**_kept_row(kept), "data": kept.refused.data.hex()}
    if as_json:
        print_json(row)
        return
    for name, value in row.items():
        typer.echo(f"{name:>9}: {value}")
    typer.echo(f"     next: wattline explain --protocol frame {row['data'][:16]}...")


def _kept_row(kept: Kept) -> dict[str, Any]:
    one = kept.refused
    return {
        "id": kept.id,
        "received": time_text(one.received_ms),
        "source": one.source,
        "topic": one.topic,
        "reason": one.reason,
        "meaning": REASONS[one.reason][1] if one.reason in REASONS else "see gateway/verify.py",
        "offset": one.offset,
        "length": one.length,
    }
