"""`wattline gateway audit`: the journal's chain verified, readings proven again from the frames that brought them."""

import random
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from gateway.cli_common import (
    ID_MAX,
    NOT_WELL,
    AsJson,
    Config,
    examples,
    fail,
    load,
    open_audit,
    open_spans,
    print_json,
)
from gateway.journal.audit import Audit, Fault, Keys
from gateway.journal.chain import Head
from gateway.rotation import keyring
from gateway.tail import described, line
from protocol.host.strict import ConfigError

SHOWN_MOST = 20  # of what could not be proven; all are counted
_MEANING = {
    "kid": "its key is not in terminals.toml, or its file can't be read / 密钥缺失",
    "mac": "not authentic under its terminal's key / 校验失败",
    "index": "the index says otherwise / 与索引不符",
    "not_there": "no such record: never taken, or retired / 无此记录或已过期清除",
}


def audit(
    config: Config,
    head: Annotated[
        list[str] | None,
        typer.Option(
            "--head", metavar="RECORD:HEX", help="A head noted earlier must still be there; again for more. 核对链头"
        ),
    ] = None,
    prove: Annotated[int, typer.Option(min=0, help="Prove so many records, chosen by chance. 随机抽查条数")] = 1000,
    record: Annotated[
        list[int] | None,
        typer.Option("--record", min=1, max=ID_MAX, help="Prove this one and show it; again for more. 核验此记录"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the choice; else any. 随机种子")] = None,
    as_json: AsJson = False,
) -> None:
    """Verify the chain over all accepted frames, and prove readings again from their frames and keys. 审计日志库

    The gateway may run. Ends with 1 if anything was edited, deleted or inserted, or can't be proven. The chain has no
    secret: note its head, which is printed last, somewhere else, and give it with --head next time.
    """
    loaded = load(config)
    noted = [_head(text) for text in head or []]
    found = open_audit(Path(loaded.data_dir))
    try:
        keys = keyring.load_keys(Path(loaded.terminals), Path(loaded.data_dir))
        chain = _verify_chain(found, noted)
        seed = random.SystemRandom().randrange(1 << 31) if seed is None else seed
        proven = _prove(found, keys, prove, random.Random(seed))  # noqa: S311  (a sample that can be drawn again)
        asked = _shown(found, keys, record or [], Path(loaded.data_dir))
    except ConfigError as error:
        fail(*(str(problem) for problem in error.problems))
    finally:
        found.close()
    proven["seed"] = seed
    well = not chain["faults"] and not proven["not_proven"] and all(one["proven"] for one in asked)
    if as_json:
        print_json({"ok": well, "chain": chain, "proof": proven, "records": asked})
    else:
        _say(chain, proven, asked)
    if not well:
        raise typer.Exit(NOT_WELL)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "audit",
        epilog=examples(
            "audit --config gateway.toml",
            "audit --config gateway.toml --head 48211:9f2c... --prove 10000 --json",
            "audit --config gateway.toml --record 48210",
        ),
    )(audit)


def _head(text: str) -> Head:
    try:
        return Head.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _verify_chain(found: Audit, noted: list[Head]) -> dict[str, Any]:
    """The chain from end to end, and what was noted of it."""
    faults: list[Fault] = []
    last, blocks = found.start, 0
    with _progress() as progress:
        task = progress.add_task("chain / 链", total=found.last - found.start.record)
        for link in found.links():
            if isinstance(link, Fault):
                faults.append(link)
                continue
            last, blocks = link, blocks + 1
            progress.update(task, completed=link.record - found.start.record)
    faults += [fault for one in noted if (fault := found.compare(one))]
    return {
        "retired": found.start.record,
        "last": last.record,
        "blocks": blocks,
        "head": str(last),
        "noted": len(noted),
        "faults": [one._asdict() for one in faults],
    }


def _prove(found: Audit, keys: Keys, most: int, chance: random.Random) -> dict[str, Any]:
    """A sample of the records."""
    every = range(found.start.record + 1, found.last + 1)
    chosen = sorted(chance.sample(every, min(most, len(every))))
    reasons: Counter[str] = Counter()
    shown: list[dict[str, Any]] = []
    with _progress() as progress:
        for proof in progress.track(found.prove(chosen, keys), total=len(chosen), description="proof / 证明"):
            reasons[proof.reason] += 1
            if proof.reason and len(shown) < SHOWN_MOST:
                shown.append(proof._asdict())
    proven = reasons.pop("", 0)
    return {"of": len(every), "proven": proven, "not_proven": dict(reasons), "shown": shown}


def _shown(found: Audit, keys: Keys, records: list[int], folder: Path) -> list[dict[str, Any]]:
    """Each record that was asked for: what it says, the frame that brought it, and whether that proves it."""
    spans = open_spans(folder)
    rows = []
    for proof in found.prove(records, keys):
        row: dict[str, Any] = {"record": proof.record, "proven": not proof.reason, "reason": proof.reason}
        entries = [entry for _, entry in spans.after(proof.record - 1, 1) if entry.id == proof.record]
        raw = spans.raw(proof.record)
        if entries and raw is not None:
            row |= {"says": described(proof.terminal, entries[0], raw), "frame": found.frame(proof.record).hex()}
        rows.append(row)
    spans.close()
    return rows


def _say(chain: dict[str, Any], proven: dict[str, Any], asked: list[dict[str, Any]]) -> None:
    if chain["retired"]:
        typer.echo(f"records 1 to {chain['retired']} were retired / 已按保留期清除")
    state = "BROKEN / 链断裂" if chain["faults"] else "unbroken / 完整"
    typer.echo(f"chain: records {chain['retired'] + 1} to {chain['last']} in {chain['blocks']} blocks: {state}")
    for fault in chain["faults"]:
        typer.echo(f"  at record {fault['record']}: {fault['what']}")
    if chain["noted"] and not chain["faults"]:
        typer.echo(f"  {chain['noted']} noted head(s) still there / 所记链头均一致")
    total = proven["proven"] + sum(proven["not_proven"].values())
    typer.echo(f"proven / 已证明: {proven['proven']} of {total} records (seed {proven['seed']})")
    for reason, count in proven["not_proven"].items():
        typer.echo(f"  {count} not: {_meaning(reason)}")
    for one in proven["shown"]:
        typer.echo(f"  record {one['record']}  {one['terminal']}  {one['reason']}")
    for row in asked:
        said = line(row["says"]) if "says" in row else ""
        typer.echo(f"record {row['record']}: {'proven / 已证明' if row['proven'] else _meaning(row['reason'])}  {said}")
        if "frame" in row:
            typer.echo(f"  frame / 报文: {row['frame']}")
    typer.echo(f"head / 链头: {chain['head']}")


def _meaning(reason: str) -> str:
    return f"{reason}: {_MEANING[reason]}" if reason in _MEANING else reason


def _progress() -> Progress:
    return Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
