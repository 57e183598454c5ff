"""The results as one HTML page that needs nothing else: tables, and charts as SVG."""

from collections.abc import Mapping
from html import escape

from hil.benchmarks.result import Bar, Chart, Figure, Result

WIDTH, ROW, LABEL, ROOM = (
    860,
    26,
    330,
    90,
)  # pixels: the chart, a bar's row, its label, the value behind the longest bar
STYLE = """
body { font: 15px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; max-width: 900px; margin: 2em auto; color: #1c2733; }
table { border-collapse: collapse; }
td, th { padding: .2em .9em .2em 0; text-align: left; border-bottom: 1px solid #d8dee4; }
td.number { text-align: right; font-variant-numeric: tabular-nums; } p { color: #57606a; } svg { max-width: 100%; }
"""


def page(results: Mapping[str, Result], machine: str) -> str:
    """The page. `machine` says where it was measured."""
    parts = [_section(name, result) for name, result in results.items()]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Wattline: benchmarks / 性能测试</title>'
        f"<style>{STYLE}</style><h1>Benchmarks / 性能测试</h1>"
        "<p>Ratios: the peer's cost over ours in the same round; larger is better for us. Medians over interleaved "
        "rounds; spread: distance between the quartiles. 比值越大越好；中位数与四分位距。</p>"
        f"<p>{escape(machine)}</p>{''.join(parts)}</html>\n"
    )


def _section(name: str, result: Result) -> str:
    rows = "".join(map(_row, result.figures))
    notes = "".join(f"<p>{escape(note)}</p>" for note in result.notes)
    charts = "".join(map(_chart, result.charts))
    head = "<tr><th>figure<th>value<th>spread<th>unit<th>goal<th>peer</tr>"
    return f"<h2>{escape(name)}</h2>{charts}<table>{head}{rows}</table>{notes}"


def _row(figure: Figure) -> str:
    f = figure
    return (
        f'<tr><td>{escape(f.name)}<td class="number">{f.value:,}<td class="number">{f.spread:,}'
        f"<td>{escape(f.unit)}<td>{escape(f.goal)}<td>{escape(f.peer)}</tr>"
    )


def _chart(chart: Chart) -> str:
    most = max([bar.value for bar in chart.bars] + [chart.line or 0]) or 1
    scale = (WIDTH - LABEL - ROOM) / most
    height = ROW * (len(chart.bars) + 1)
    bars = "".join(_bar(bar, number, scale) for number, bar in enumerate(chart.bars))
    line = ""
    if chart.line is not None:
        x = LABEL + chart.line * scale
        line = (
            f'<line x1="{x:.0f}" x2="{x:.0f}" y1="0" y2="{height - ROW}" stroke="#b42318" stroke-dasharray="4 3"/>'
            f'<text x="{x:.0f}" y="{height - 8}" text-anchor="middle" fill="#b42318">goal {chart.line:g}</text>'
        )
    caption = f"{escape(chart.title)} ({escape(chart.unit)})"
    return (
        f'<h3>{caption}</h3><svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'aria-label="{caption}" font-size="13">{bars}{line}</svg>'
    )


def _bar(bar: Bar, number: int, scale: float) -> str:
    y = number * ROW
    colour = "#1f5fa8" if bar.ours else "#9aa5b1"
    width = max(bar.value * scale, 1)
    shown = f"{bar.value:,.0f}" if bar.value >= 100 else f"{bar.value:.1f}"
    return (
        f'<text x="{LABEL - 8}" y="{y + 18}" text-anchor="end">{escape(bar.label)}</text>'
        f'<rect x="{LABEL}" y="{y + 4}" width="{width:.1f}" height="{ROW - 8}" fill="{colour}"/>'
        f'<text x="{LABEL + width + 6:.0f}" y="{y + 18}">{shown}</text>'
    )
