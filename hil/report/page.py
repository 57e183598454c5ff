"""A run as one HTML file that needs nothing else: the verdict first, then what happened when, and why."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hil.oracle.evidence import Trouble
from hil.report import details
from hil.report.axis import Axis
from hil.report.charts import Curve, charts
from hil.report.result import Report
from hil.report.stories import Story
from hil.report.timeline import timeline
from protocol.host.markup import Markup, both, join, tag

_HERE = Path(__file__).parent
STYLE = Markup((_HERE / "page.css").read_text(encoding="utf-8"))
SCRIPT = Markup((_HERE / "page.js").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Seen:
    """What the page shows of a run. again: the command that plays it again. folder: where its logs are."""

    report: Report
    title: tuple[str, str]
    axis: Axis
    troubles: Sequence[Trouble]
    stories: Sequence[Story]
    curves: Sequence[Curve]
    again: str
    folder: Path


def page(seen: Seen) -> str:
    """The page's text."""
    report = seen.report
    title = f"{report.verdict.upper()} {report.scenario} - Wattline"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy()),
        tag("title", title),
        tag("style", STYLE),
    )
    body = tag("body", tag("main", _verdict(seen), *_sections(seen)), tag("script", SCRIPT))
    return join(Markup("<!doctype html>"), tag("html", head, body, lang="en"), "\n")


def _sections(seen: Seen) -> list[Markup]:
    report, ids = seen.report, details.told(seen.stories)
    parts = []
    if report.findings:
        parts.append(_section("What was found", "发现的问题", details.findings(report.findings, seen.stories, ids)))
    happened = timeline(seen.axis, seen.troubles, seen.stories, ids)
    told = details.windows(seen.axis, seen.stories, ids)
    parts.append(_section("What happened when", "时间线", happened, told))
    if seen.curves:
        shown = charts(seen.axis, seen.curves, seen.troubles)
        parts.append(_section("What the meters showed, and what arrived", "电表示值与到达数据", _chart_key(), shown))
    if report.expected:
        parts.append(_section("What the scenario expects", "场景的预期", details.expected(report.expected)))
    parts.append(_section("Measured", "测量", details.measured(report.measurements)))
    parts.append(_section("What was run", "运行环境", _run(seen)))
    parts.append(_section("Logs", "日志", details.logs(seen.folder)))
    return parts


def _verdict(seen: Seen) -> Markup:
    report = seen.report
    passed = report.verdict == "pass"
    word = both("PASSED", "通过") if passed else both("NOT PASSED", "未通过")
    return tag(
        "header",
        tag("p", word, class_="word"),
        tag("h1", both(*seen.title)),
        tag("p", _sentence(report)),
        tag("dl", *(_tile(*one) for one in _counts(report)), class_="tiles"),
        class_="pass" if passed else "fail",
    )


def _sentence(report: Report) -> Markup:
    """The verdict in one sentence."""
    if report.verdict == "pass" and report.expected:
        return both("All is as the scenario expects it, and nothing else is wrong.", "一切符合场景预期，无其他问题。")
    if report.verdict == "pass":
        return both("Nothing was lost, doubled, invented or altered.", "无丢失、无重复、无虚构、无篡改。")
    codes: dict[str, int] = {}
    for one in report.findings:
        codes[one.code] = codes.get(one.code, 0) + 1
    told = ", ".join(f"{code} {count}" for code, count in codes.items())
    return both(f"{len(report.findings)} findings: {told}.", f"{len(report.findings)} 处问题。")


def _counts(report: Report) -> list[tuple[str, str, int, str]]:
    """(English, Chinese, how many, what that is if it is not 0: bad, odd or nothing special)."""
    windows, sinks = report.windows, report.sinks.values()
    lost = windows.lost + sum(tally.lost for tally in sinks)
    twice = windows.duplicated + sum(tally.duplicated for tally in sinks)
    return [
        ("closed", "关闭", windows.closed, ""),
        ("journalled", "入账", windows.journalled, ""),
        ("forwarded", "转发", sum(tally.delivered for tally in sinks), ""),
        ("late", "迟到", report.late, "odd"),
        ("lost", "丢失", lost, "bad"),
        ("doubled", "重复", twice, "bad"),
        ("invented", "虚构", windows.invented, "bad"),
        ("refused frames", "拒收帧", report.frames.refused, "odd"),
    ]


def _tile(english: str, chinese: str, count: int, kind: str) -> Markup:
    return tag("div", tag("dd", count), tag("dt", both(english, chinese)), class_=kind if count else None)


def _section(english: str, chinese: str, *inside: Markup) -> Markup:
    return tag("section", tag("h2", both(english, chinese)), *inside)


def _chart_key() -> Markup:
    keys = [("truth", "what the meter showed", "电表示值"), ("arrived", "mean that arrived", "到达的平均值")]
    keys += [
        ("band", "least to most", "最小至最大"),
        ("hole", "no reading, none invented", "无读数，不虚构"),
        ("shade", "fault", "故障"),
    ]
    shown = [
        tag("span", tag("i", class_=f"line {kind}"), both(english, chinese), class_="key")
        for kind, english, chinese in keys
    ]
    return tag("div", *shown, class_="legend")


def _run(seen: Seen) -> Markup:
    report, axis = seen.report, seen.axis
    pace = f"x{report.factor}" if report.factor else "virtual / 虚拟"
    frames = report.frames
    facts: Mapping[tuple[str, str], object] = {
        ("scenario", "场景"): report.scenario,
        ("target, pace", "目标，倍速"): f"{report.target}, {pace}",
        ("seed", "种子"): report.seed,
        ("commit", "提交"): report.commit,
        ("time played", "场景时间"): f"{_date(axis)}, {report.virtual_hours:g} h",
        ("it took", "实际耗时"): f"{report.real_s:g} s",
        (
            "frames sent / taken / again / refused",
            "帧：发送/接收/重发/拒收",
        ): f"{frames.sent} / {frames.accepted} / {frames.repeated} / {frames.refused}",
        ("readings", "读数"): report.readings,
        ("versions", "版本"): ", ".join(f"{name} {version}" for name, version in report.versions.items()),
        ("releases rolled out", "下发的升级"): ", ".join(report.updates) or "-",
        ("firmware", "终端固件"): "; ".join(f"{one.name} {' > '.join(one.firmware)}" for one in report.terminals),
        ("trace", "轨迹摘要"): report.trace or "-",
        ("again", "重放"): tag("code", seen.again),
    }
    return tag("table", *(tag("tr", tag("th", both(*name)), tag("td", value)) for name, value in facts.items()))


def _date(axis: Axis) -> str:
    return datetime.fromtimestamp(axis.from_ms / 1000, axis.zone).strftime("%Y-%m-%d %H:%M %z")


def _policy() -> str:
    """Nothing is loaded, and no script runs but ours."""
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
