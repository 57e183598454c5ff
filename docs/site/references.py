"""The references that are made of the product's own declarations: `python -m docs.site.references`, or `--check`.

With --check nothing is written: exit status 1 where a page that is kept is not what the declarations say.
"""

import inspect
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from docs.site import terminal_json
from docs.site.declared import Key, Table, tables
from firmware.field.site import plan
from gateway import config, registry
from gateway.commissioning import technicians
from gateway.console import users
from gateway.forward.hj212 import mapping
from gateway.metrics import Metrics
from gateway.modbus_intake.metrics import ModbusMetrics
from gateway.verify import CHECKS, severity
from gateway.watch import enterprises, rules
from gateway.watch.alarms import FAMILIES
from gateway.watch.dispatch import channels
from gateway.watch.words import MEANING
from protocol.errors import REASONS

REFERENCE = Path(__file__).resolve().parents[1] / "reference"
MADE = "<!-- Made of the declarations by `make references`; change those, not this. -->"
CONFIGURATION = """\
Every file that people write, with each key. `wattline gateway check --config gateway.toml` holds the gateway's against
this and against each other, without the network; `wattline field check` does it for `terminal.json`, `wattline field
plan` for `site.toml`. Paths are relative to the file that they stand in. Unknown keys are refused. Examples:
[`deploy/example`](../../deploy/example)."""
TERMINAL_JSON = """\
The terminal's own, on its flash; `wattline field plan` makes it of `site.toml`, `provision` brings it. What a gateway
may change of it from afar: `sample_interval_s`, `buses`, `points`,
`uplink` (FR-46 of [SPEC.md](../../protocol/SPEC.md))."""
METRICS = """\
What `http://127.0.0.1:9212/metrics` says (`[metrics]` in `gateway.toml`), for Prometheus; on loopback alone. Labels
come from closed lists. Alert rules and a dashboard that use them: [`deploy/monitoring`](../../deploy/monitoring); what
to do about each alert, alarm, refusal and mark: [runbook](../runbook.md)."""
# a file, where its keys are declared, its root
FILES: list[tuple[str, ModuleType, type[msgspec.Struct]]] = [
    ("gateway.toml", config, config.GatewayConfig),
    ("terminals.toml", registry, registry.RegistryFile),
    ("enterprises.toml", enterprises, enterprises.EnterprisesFile),
    ("rules.toml", rules, rules.Rules),
    ("channels.toml", channels, channels.ChannelsFile),
    ("technicians.toml", technicians, technicians.TechniciansFile),
    ("users.toml", users, users.UsersFile),
    ("platform.toml", mapping, mapping.MappingFile),
    ("site.toml", plan, plan.Plan),
]


def main(arguments: list[str]) -> int:
    """Write the pages, or say which are out of date."""
    is_check = arguments == ["--check"]
    stale = []
    for name, lines in PAGES.items():
        page, text = REFERENCE / name, "\n".join(lines()) + "\n"
        if is_check and (not page.exists() or page.read_text(encoding="utf-8") != text):
            stale.append(page.name)
        elif not is_check:
            page.write_text(text, encoding="utf-8")
    for name in stale:
        sys.stderr.write(f"docs/reference/{name} is out of date: run `make references` / 请运行 make references\n")
    return 1 if stale else 0


def _configuration() -> Iterator[str]:
    yield from ("# Configuration", "", MADE, "", CONFIGURATION)
    for name, module, root in FILES:
        declared = f"{module.__name__.replace('.', '/')}.py"
        yield from ("", f"## {name}", "", f"{_first_words(module)} Declared in `{declared}`.", *_example(module))
        for one in tables(root):
            if one.keys:
                yield from ("", *_section(name, one))
    yield from ("", "## terminal.json", "", TERMINAL_JSON, "", *_rows(terminal_json.rows()))


def _first_words(module: ModuleType) -> str:
    text = " ".join(inspect.cleandoc(module.__doc__ or "").partition("\n\n")[0].split())
    words = text.partition(": ")[2] or text
    return words[:1].upper() + words[1:]


def _example(module: ModuleType) -> Iterator[str]:
    """What of a module's docstring is TOML."""
    blocks = [inspect.cleandoc(block) for block in inspect.cleandoc(module.__doc__ or "").split("\n\n")[1:]]
    found = [block for block in blocks if _is_toml(block)]
    if found:
        yield from ("", "```toml", "\n\n".join(found), "```")


def _is_toml(text: str) -> bool:
    try:
        return bool(tomllib.loads(text))
    except tomllib.TOMLDecodeError:
        return False


def _section(file: str, table: Table) -> Iterator[str]:
    if table.name:
        yield from (f"### {file}: {table.name}", "", table.meaning, "")
    yield from _rows(table.keys)


def _rows(keys: Iterable[Key]) -> Iterator[str]:
    yield from ("| key | allowed | if left out | what it is |", "|---|---|---|---|")
    for key in keys:
        yield f"| `{key.name}` | {key.allowed} | {key.default} | {key.meaning} |"


def _metrics() -> Iterator[str]:
    yield from ("# Metrics, alarms, refusals", "", MADE, "", METRICS)
    metrics = Metrics()
    for title, holder in (("Gateway", metrics), ("Modbus intake", ModbusMetrics(CollectorRegistry()))):
        yield from ("", f"## {title}", "", "| metric | type | labels | what it counts or shows |", "|---|---|---|---|")
        yield from (_metric(one) for one in vars(holder).values() if isinstance(one, MetricWrapperBase))
        if holder is metrics:
            yield from (f"| `{one.name}` | {one.type} |  | {one.documentation} |" for one in metrics.delay.collect())
    yield from _alarms()
    yield from ("", "## Checks", "", "| check | severity | what it says of a record |", "|---|---|---|")
    yield from (f"| `{name}` | {severity(name)} | {text} |" for name, text in CHECKS.items())
    yield from ("", "## Refused frames", "", "| reason | verdict | what is wrong, and what to do |", "|---|---|---|")
    yield from (f"| `{name}` | {verdict} | {text} |" for name, (verdict, text) in REASONS.items())


def _alarms() -> Iterator[str]:
    """`families` of a channel are the second column."""
    yield from ("", "## Alarms", "", "| alarm | family | it means | 含义 |", "|---|---|---|---|")
    for kind, text in MEANING.items():
        english, chinese = text.split(" / ")
        yield f"| `{kind}` | `{FAMILIES[kind]}` | {english} | {chinese} |"


def _metric(one: MetricWrapperBase) -> str:
    family = next(iter(one.describe()))
    name = family.name + ("_total" if family.type == "counter" else "")
    labels = ", ".join(f"`{label}`" for label in one._labelnames)  # noqa: SLF001  prometheus_client tells it nowhere else
    return f"| `{name}` | {family.type} | {labels} | {family.documentation} |"


PAGES: Mapping[str, Callable[[], Iterator[str]]] = {"configuration.md": _configuration, "metrics.md": _metrics}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
