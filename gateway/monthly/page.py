"""The month as one sheet of HTML that needs nothing else and prints to A4; Chinese and English. No I/O."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from gateway.monthly.account import DAY_S, UNPLACED, WH_A_KWH, LinkageMonth, Month, PointMonth
from gateway.watch.store import Row
from gateway.watch.words import MEANING, facts_text
from protocol.host.markup import Markup, join, tag

STYLE = Markup((Path(__file__).parent / "page.css").read_text(encoding="utf-8"))
ALARMS_SHOWN = 8  # what a sheet has room for; the newest
BAR_WIDTH, BAR_GAP, CHART_HEIGHT, HOURS = 24, 10, 60, 24
KIND = {"production": "产污", "treatment": "治污", "other": "其他"}
FEW = 0.9  # completeness below it is what the field's rule objects to


def page(month: Month, alarms: Sequence[Row], made_s: int) -> str:
    """The sheet. alarms: of the span, the newest first; made_s: when it was made, Unix s."""
    enterprise = month.enterprise
    title = f"{enterprise.name} {_local(month, month.from_s)[:7]}"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content="default-src 'none'; style-src 'unsafe-inline'"),
        tag("title", title),
        tag("style", STYLE),
    )
    parts = [
        tag("h1", title, tag("small", "企业用电健康月报 / Electricity health report")),
        _summary(month, alarms, made_s),
        tag("h2", "产治联动 / Production and treatment"),
        _linkages(month.linkages),
        *(_chart(month, one) for one in month.linkages),
        tag("h2", "用电量 / Energy"),
        _energy(month),
        tag("h2", "报警 / Alarms"),
        _alarms(month, alarms),
    ]
    return join(Markup("<!doctype html>"), tag("html", head, tag("body", tag("main", *parts)), lang="zh"), "\n")


def _summary(month: Month, alarms: Sequence[Row], made_s: int) -> Markup:
    produced_h = sum(one.whole.production_h for one in month.linkages)
    completeness = min((one.completeness for one in month.points), default=0.0)
    facts = [
        ("企业编号 / id", month.enterprise.id),
        ("期间 / span", f"{_local(month, month.from_s)} .. {_local(month, month.to_s)}"),
        ("生产时长 / production", f"{produced_h:.1f} h"),
        ("用电量 / energy", f"{month.energy_wh / WH_A_KWH:,.1f} kWh"),
        ("碳排放 / CO2", "-" if month.co2_kg is None else f"{month.co2_kg:,.0f} kg"),
        ("数据完整率（最低）/ least completeness", f"{completeness:.1%}"),
        ("报警 / alarms", str(len(alarms))),
        ("生成 / made", _local(month, made_s)),
    ]
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in facts), class_="facts")


def _linkages(some: Sequence[LinkageMonth]) -> Markup:
    head = (
        "联动 / linkage",
        "生产 / production h",
        "治污 / treatment h",
        "联动率 / rate",
        "建而不用 / unused days",
        "时开时停 / went off",
    )
    rows = [
        _row(
            one.linkage.name,
            _number(f"{one.whole.production_h:.1f}"),
            _number(f"{one.whole.treatment_h:.1f}"),
            _number("-" if one.whole.linkage_rate is None else f"{one.whole.linkage_rate:.1%}"),
            _number(one.whole.unused_days),
            _number(one.whole.switched_off),
        )
        for one in some
    ]
    return _table(head, rows)


def _chart(month: Month, one: LinkageMonth) -> Markup:
    """Hours of each day: production, and of it with treatment."""
    bars = []
    for number, day in enumerate(one.days):
        x = number * (BAR_WIDTH + BAR_GAP)
        treated_h = day.production_h * (day.linkage_rate or 0.0)
        bars += [
            _bar(x, day.production_h, "production"),
            _bar(x, treated_h, "treated"),
            tag("text", _local(month, month.from_s + number * DAY_S)[8:10], x=x + 5, y=CHART_HEIGHT + 12),
        ]
    width = max(1, len(one.days)) * (BAR_WIDTH + BAR_GAP)
    label = f"{one.linkage.name}: hours a day of production (grey) and of it with treatment (green)"
    svg = tag("svg", *bars, viewBox=f"0 0 {width} {CHART_HEIGHT + 14}", role="img", aria_label=label, class_="chart")
    caption = f"{one.linkage.name}：每日生产时长（灰）与其中治污运行时长（绿），满格 24 h / hours a day"
    return tag("figure", tag("figcaption", caption), svg)


def _bar(x: int, hours: float, kind: str) -> Markup:
    height = round(hours / HOURS * CHART_HEIGHT, 1)
    return tag("rect", x=x, y=CHART_HEIGHT - height, width=BAR_WIDTH, height=height, class_=kind)


def _energy(month: Month) -> Markup:
    periods = [*month.tariff.periods, UNPLACED]
    shown = [one for one in periods if any(one in point.energy_wh for point in month.points)] or periods[:1]
    names = [f"{one} kWh" if one != UNPLACED else "未定时段 / unplaced kWh" for one in shown]
    head = ("测点 / point", "名称 / name", "类别 / kind", *names, "合计 / total kWh", "完整率 / complete")
    return join(_table(head, [_energy_row(one, shown) for one in month.points]), *map(_steps, month.points))


def _steps(one: PointMonth) -> Markup | None:
    """What of a point's energy is not known, where its register fell or jumped."""
    if not one.steps:
        return None
    least, most = (f"{wh / WH_A_KWH:,.1f}" for wh in (one.total_wh, one.total_wh + one.left_out_wh))
    text = f"示值突变 {one.steps} 次，未计入；register steps left out: {one.steps}; {least} .. {most} kWh"
    return tag("p", f"{one.point}: {text}", class_="few")


def _energy_row(one: PointMonth, periods: Sequence[str]) -> Markup:
    energies = [_kwh(one, one.energy_wh.get(name, 0)) for name in periods]
    complete = tag("td", f"{one.completeness:.1%}", class_="few" if one.completeness < FEW else "n")
    cells = [tag("td", value) for value in (one.point, one.name, KIND[one.kind])]
    numbers = [_number(value) for value in (*energies, _kwh(one, one.total_wh))]
    return tag("tr", *cells, *numbers, complete)


def _kwh(one: PointMonth, energy_wh: int) -> str:
    return f"{energy_wh / WH_A_KWH:,.1f}" if one.has_register else "-"


def _alarms(month: Month, alarms: Sequence[Row]) -> Markup:
    if not alarms:
        return tag("p", "无 / none")
    head = ("编号 / id", "对象 / subject", "起 / from", "止 / to", "内容 / what", "状态 / state")
    rows = [
        _row(one.id, one.subject, _when(month, one.from_s), _when(month, one.to_s), _meaning(one), one.state)
        for one in alarms[:ALARMS_SHOWN]
    ]
    left = len(alarms) - ALARMS_SHOWN
    more = tag("p", f"另有 {left} 条 / {left} more: wattline gateway alarms list") if left > 0 else None
    return join(_table(head, rows), more)


def _when(month: Month, unix_s: int) -> Markup:
    return tag("td", _local(month, unix_s)[5:], class_="t")


def _meaning(one: Row) -> str:
    facts = f" ({facts_text(one.facts)})" if one.facts else ""
    return f"{MEANING[one.kind]}{facts}"


def _table(head: Sequence[str], rows: Sequence[Markup]) -> Markup:
    return tag("table", tag("thead", tag("tr", *(tag("th", one) for one in head))), tag("tbody", *rows))


def _row(*cells: object) -> Markup:
    """Cells as they are, or texts that are one each."""
    return tag("tr", *(one if isinstance(one, Markup) else tag("td", one) for one in cells))


def _number(value: object) -> Markup:
    return tag("td", value, class_="n")


def _local(month: Month, unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s + month.tariff.offset_s, UTC).strftime("%Y-%m-%d %H:%M")
