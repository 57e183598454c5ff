"""The results as one HTML page that needs nothing else: what was reached, charts as SVG, tables."""

from collections.abc import Mapping
from html import escape

from hil.benchmarks.result import Bar, Chart, Figure, Result, Table

# Units of a chart's view box, which the page's width scales: the chart; a bar's row, with its label above the bar;
# the value behind the longest bar. Labels stand above the bars: a phone's width has no room beside them.
WIDTH, ROW, BAR, ROOM = 640, 44, 16, 90
STYLE = """
:root { color-scheme: light dark; --ink: #1c2733; --soft: #57606a; --line: #d8dee4; --paper: #fff; --ours: #1f5fa8;
  --theirs: #9aa5b1; --goal: #b42318; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa5b1; --line: #30363d; --paper: #0d1117;
  --ours: #5b9bdf; --theirs: #6e7781; --goal: #ff8a80; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; max-width: 860px; margin: 0 auto; padding: 1em;
  color: var(--ink); background: var(--paper); }
h1 { font-size: 1.6em; line-height: 1.2; } h2 { margin: 2em 0 .3em; border-bottom: 2px solid var(--line); }
h3 { font-size: 1em; margin: 1.5em 0 .3em; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .9em; }
td, th { padding: .3em .8em .3em 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; } td:first-child { overflow-wrap: anywhere; min-width: 8em; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
p, ul.notes { color: var(--soft); } ul.notes { font-size: .9em; padding-left: 1.2em; }
.failed, .missed { color: var(--goal); font-weight: 600; } nav a { margin-right: 1em; }
svg { width: 100%; height: auto; max-width: 640px; display: block; fill: var(--ink); }
"""


def page(results: Mapping[str, Result], machine: str) -> str:
    """The page. `machine` says where it was measured."""
    parts = [_section(name, result) for name, result in results.items()]
    links = "".join(f'<a href="#{escape(name)}">{escape(name)}</a>' for name in results)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Wattline: benchmarks / 性能测试</title><style>{STYLE}</style><h1>Benchmarks / 性能测试</h1>"
        "<p>Ratios are of the peer's cost to ours, or of our rate to the peer's, in the same round: larger is better "
        "for us. Medians over interleaved rounds; spread is the distance between the quartiles, 0 where it was "
        "measured once. 比值越大越好；中位数与四分位距。</p>"
        f"<p>{escape(machine)}</p>{_goals(results)}<nav>{links}</nav>{''.join(parts)}</html>\n"
    )


def _goals(results: Mapping[str, Result]) -> str:
    """What was to be reached, and whether it was."""
    goals = [figure for result in results.values() for figure in result.figures if figure.goal]
    rows = [
        [reached(one), one.name, f"{one.value:,}", f"{one.goal} {one.unit}".removesuffix(" ratio")] for one in goals
    ]
    return _table(Table("Goals / 目标", ["", "figure", "value", "goal"], rows)) if rows else ""


def reached(figure: Figure) -> str:
    """Whether a figure is what its goal says: `at least`, `at most` or `below` a number; "" where it says neither."""
    words, _, number = figure.goal.rpartition(" ")
    try:
        bound = float(number.replace(",", ""))
    except ValueError:
        return ""
    held = {"at least": figure.value >= bound, "at most": figure.value <= bound, "below": figure.value < bound}
    return {True: "reached", False: "missed", None: ""}[held.get(words)]


def _section(name: str, result: Result) -> str:
    failures = "".join(f'<p class="failed">failed / 失败: {escape(text)}</p>' for text in result.failures)
    notes = "".join(f"<li>{escape(note)}" for note in result.notes)
    parts = [failures, *map(_chart, result.charts), *map(_table, result.tables), _figures(result.figures)]
    return f'<h2 id="{escape(name)}">{escape(name)}</h2>{"".join(parts)}<ul class="notes">{notes}</ul>'


def _figures(figures: list[Figure]) -> str:
    if not figures:
        return ""
    head = "<tr><th>figure<th class=number>value<th class=number>spread<th>unit<th>peer</tr>"
    return f'<h3>Figures</h3><div class="wide"><table>{head}{"".join(map(_row, figures))}</table></div>'


def _row(figure: Figure) -> str:
    f = figure
    return (
        f'<tr><td>{escape(f.name)}<td class="number">{f.value:,}<td class="number">{f.spread:,}'
        f"<td>{escape(f.unit)}<td>{escape(f.peer)}</tr>"
    )


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(text)}" for text in table.heading)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in table.rows)
    return f'<h3>{escape(table.title)}</h3><div class="wide"><table><tr>{head}</tr>{rows}</table></div>'


def _cell(text: str) -> str:
    return f'<td class="{text}">{escape(text)}' if text in {"reached", "missed"} else f"<td>{escape(text)}"


def _chart(chart: Chart) -> str:
    most = max([bar.value for bar in chart.bars] + [chart.line or 0]) or 1
    scale = (WIDTH - ROOM) / most
    height = ROW * len(chart.bars) + (24 if chart.line is not None else 4)
    bars = "".join(_bar(bar, number, scale) for number, bar in enumerate(chart.bars))
    line = ""
    if chart.line is not None:
        x = chart.line * scale
        text = f"goal {chart.line:,g}"
        line = (
            f'<line x1="{x:.0f}" x2="{x:.0f}" y1="0" y2="{height - 20}" stroke="var(--goal)" stroke-dasharray="4 3"/>'
            f'<text x="{x:.0f}" y="{height - 4}" text-anchor="{_anchor(x)}" fill="var(--goal)">{text}</text>'
        )
    caption = f"{escape(chart.title)} ({escape(chart.unit)})"
    return (
        f'<h3>{caption}</h3><svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{caption}" font-size="14">'
        f"{bars}{line}</svg>"
    )


def _anchor(x: float) -> str:
    """So that a text at x stays within the chart."""
    return "start" if x < 50 else "end" if x > WIDTH - 50 else "middle"


def _bar(bar: Bar, number: int, scale: float) -> str:
    y = number * ROW
    width, colour = max(bar.value * scale, 2), "ours" if bar.ours else "theirs"
    return (
        f'<text x="0" y="{y + 18}">{escape(bar.label)}</text>'
        f'<rect x="0" y="{y + 24}" width="{width:.1f}" height="{BAR}" fill="var(--{colour})"/>'
        f'<text x="{width + 6:.0f}" y="{y + 37}">{_shown(bar.value)}</text>'
    )


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2g}"
