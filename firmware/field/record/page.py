"""A report as one page of HTML that prints to one sheet of A4, in both languages; nothing is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from firmware.field.outcome import STATE_WORDS

_STYLE = """
@page { size: A4; margin: 12mm }
* { box-sizing: border-box }
body { font: 9.5pt/1.35 "Noto Sans", "Noto Sans CJK SC", "Microsoft YaHei", Arial, sans-serif; color: #111;
       margin: 0 auto; max-width: 186mm; print-color-adjust: exact; -webkit-print-color-adjust: exact }
h1 { font-size: 16pt; margin: 0 0 1mm }
h2 { font-size: 10.5pt; margin: 4mm 0 1mm; border-bottom: .3mm solid #111 }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .6mm 1.5mm; border-bottom: .2mm solid #ccc }
th { font-weight: 600 }
td.n, th.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
.facts th { width: 34mm; font-weight: 400; color: #555 }
.facts td { width: 59mm }
.mono { font-family: "DejaVu Sans Mono", Consolas, monospace; font-size: 7.5pt; line-height: 1.2;
        word-break: break-all }
.passed { color: #06602a } .failed { color: #a30000; font-weight: 600 } .cannot_tell, .skipped { color: #8a5a00 }
.steps td { padding-top: .2mm; padding-bottom: .2mm } .steps td:nth-child(-n+3) { white-space: nowrap }
.steps td:last-child { width: 62%; font-size: 6.8pt; line-height: 1.2 }
.sign { display: flex; gap: 10mm; margin-top: 9mm } .sign div { flex: 1; border-top: .2mm solid #111; padding-top: 1mm }
.dense { font-size: 8pt } .dense h2 { margin-top: 2.4mm } .dense .sign { margin-top: 7mm }
.dense .points { font-size: 6.4pt; line-height: 1.2 }
.dense .points td, .dense .points th { padding: .15mm .7mm; white-space: nowrap }
.dense .points td:nth-child(2) { max-width: 38mm; overflow: hidden; text-overflow: ellipsis }
.full .steps td:last-child { max-width: 110mm; white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
.full .steps td, .full .facts td, .full .facts th { padding-top: 0; padding-bottom: 0 }
small { color: #555; font-size: inherit }
@media screen { body { padding: 8mm 0 } }
"""
_DENSE_FROM = 4  # points: from here on a row is one line, so that 32 fit on the sheet
_FULL_FROM = 20  # from here on a step's findings are one line, too
_PHOTOS_MAX = 3  # named on the sheet; all are in report.json
_FINDINGS_CHARS_MAX = 150  # of a step, likewise
_KINDS = {"production": "production 产污", "treatment": "treatment 治污", "other": "other 其他"}
_KINDS_SHORT = {"production": "P 产", "treatment": "T 治", "other": "O 他"}


def html(body: dict[str, Any], digest: str) -> str:
    """The page. body: as protocol.host.commissioning.Report; digest: its own."""
    title = f"Commissioning report 投运报告 {body['terminal']}"
    return "\n".join(
        (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
            f"<style>{_STYLE}</style></head>",
            f'<body class="{_density(body["points"])}">',
            f"<h1>{escape(title)}</h1>",
            _facts(_who(body)),
            _head("Points / 测点"),
            _points(body["points"]),
            _head("Steps / 步骤"),
            _steps(body["steps"]),
            *_photos(body["photos"]),
            *([_head("Note / 备注"), f"<p>{escape(body['note'])}</p>"] if body["note"] else []),
            _head("Proof / 凭证"),
            _facts(_proof(body, digest), mono=True),
            _signatures(),
            "</body></html>\n",
        )
    )


def _who(body: dict[str, Any]) -> list[tuple[str, str]]:
    enterprise, board = body["enterprise"], body["board"]
    return [
        ("Enterprise / 企业", f"{enterprise['name']} ({enterprise['id']})"),
        ("Address / 地址", enterprise.get("address") or "-"),
        ("Place / 位置", body["place"]),
        ("Technician / 技术员", body["technician"]),
        ("Began / 开始 (UTC)", _time(body["began"])),
        ("Ended / 结束 (UTC)", _time(body["ended"])),
        ("Board / 板子", f"{board['kind']}, {board['uid']}"),
        ("Firmware / 固件", f"{board['firmware']}, MicroPython {board['micropython']}"),
    ]


def _proof(body: dict[str, Any], digest: str) -> list[tuple[str, str]]:
    first = body["first_record"]
    return [
        ("Report / 报告 SHA-256", digest),
        ("Enrolment / 登记 SHA-256", body["enrolment"]),
        ("First record / 首条记录", f"{first['epoch']:08x} / {first['seq']}"),
        ("Signed by / 签名", f"{body['technician']} (Ed25519), {body['terminal']}.report.json"),
    ]


_HEADS = (
    "", "point / 测点", "meter / 电表", "CT, rated / 变比, 额定", "P", "U", "I", "PF", "wiring / 接线"
)  # fmt: skip
_NUMBERS = _HEADS[3:8]


def _density(points: Sequence[dict[str, Any]]) -> str:
    if len(points) >= _FULL_FROM:
        return "dense full"
    return "dense" if _is_dense(points) else "plain"


def _is_dense(points: Sequence[dict[str, Any]]) -> bool:
    return len(points) >= _DENSE_FROM


def _points(points: Sequence[dict[str, Any]]) -> str:
    row = _row_of_one_line if _is_dense(points) else _row
    heads = "".join(f"<th{' class=n' if one in _NUMBERS else ''}>{one}</th>" for one in _HEADS)
    return f'<table class="points"><tr>{heads}</tr>{"".join(map(row, points))}</table>'


def _row(one: dict[str, Any]) -> str:
    serial = _serial(one, "<br>no. ")
    name = f"{escape(one['name'])}<br><small>{_KINDS[one['kind']]}</small>"
    return _cells(one, name, f"{_meter(one)}{serial}", "<br>", "<br>")


def _row_of_one_line(one: dict[str, Any]) -> str:
    name = f"<small>{_KINDS_SHORT[one['kind']]}</small> {escape(one['name'])}"
    return _cells(one, name, f"{_meter(one)}{_serial(one, ' #')}", ", ", "/")


def _meter(one: dict[str, Any]) -> str:
    meter = one["meter"]
    circuit = "" if meter.get("circuit", 1) == 1 else f" ({meter['circuit']})"
    return f"{escape(meter['profile'])}, {escape(str(meter['address']))}{circuit}"


def _serial(one: dict[str, Any], before: str) -> str:
    return f"{before}{one['meter']['serial']}" if "serial" in one["meter"] else ""


def _cells(one: dict[str, Any], name: str, meter: str, between: str, of_phases: str) -> str:
    """A row. between: what stands between a cell's parts; of_phases: between the values of phases."""
    read = one["baseline"]
    ratio = f"{one['ct_ratio']}" if one["pt_ratio"] == 1 else f"{one['ct_ratio']} × {one['pt_ratio']}"
    numbers = (
        f"{ratio}{between}{one['rated_power_w'] / 1000:g} kW",
        _shown(read, ("p_w",), 1000, "{:.2f}", " kW", of_phases),
        _shown(read, ("ua_dv", "ub_dv", "uc_dv"), 10, "{:.0f}", " V", of_phases),
        _shown(read, ("ia_ma", "ib_ma", "ic_ma"), 1000, "{:.1f}", " A", of_phases),
        _shown(read, ("pf_milli",), 1000, "{:.2f}", "", of_phases),
    )
    cells = f'<td class="n">{one["number"]}</td><td>{name}</td><td>{meter}</td>'
    cells += "".join(f'<td class="n">{text}</td>' for text in numbers)
    return f'<tr>{cells}<td class="{one["wiring"]}">{_state(one["wiring"])}</td></tr>'


def _shown(read: dict[str, int], names: Sequence[str], divisor: int, form: str, unit: str, between: str) -> str:
    """The quantities that are there, with their unit behind the last."""
    found = [form.format(read[name] / divisor) for name in names if name in read]
    return f"{between.join(found)}{unit}" if found else "-"


def _steps(steps: Sequence[dict[str, Any]]) -> str:
    rows = []
    for one in steps:
        found = "; ".join(f"{finding['en']} / {finding['zh']}" for finding in one["findings"])
        rows.append(
            f'<tr><td>{escape(one["step"])}</td><td class="{one["state"]}">{_state(one["state"])}</td>'
            f"<td>{_time(one['ended'])}</td><td>{escape(_short(found))}</td></tr>"
        )
    return f'<table class="steps">{"".join(rows)}</table>'


def _short(text: str) -> str:
    return text if len(text) <= _FINDINGS_CHARS_MAX else f"{text[: _FINDINGS_CHARS_MAX - 1]}…"


def _photos(photos: Sequence[dict[str, str]]) -> list[str]:
    if not photos:
        return []
    rows = [(one["name"], one["sha256"]) for one in photos[:_PHOTOS_MAX]]
    if len(photos) > _PHOTOS_MAX:
        rows.append(("...", f"{len(photos)} in all / 共 {len(photos)} 张: report.json"))
    return [_head("Photos / 照片 (SHA-256)"), _facts(rows, mono=True)]


def _facts(rows: Sequence[tuple[str, str]], *, mono: bool = False) -> str:
    """Names with values: two pairs a row, or one where they are long."""
    cells = [f"<th>{escape(name)}</th><td{' class=mono' if mono else ''}>{escape(value)}</td>" for name, value in rows]
    width = 1 if mono else 2
    lines = ("".join(cells[at : at + width]) for at in range(0, len(cells), width))
    return f'<table class="facts">{"".join(f"<tr>{line}</tr>" for line in lines)}</table>'


def _signatures() -> str:
    who = ("Technician / 技术员", "For the enterprise / 企业代表", "Date / 日期")
    return f'<div class="sign">{"".join(f"<div>{one}</div>" for one in who)}</div>'


def _head(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def _state(state: str) -> str:
    return f"{state.replace('_', ' ')} {STATE_WORDS[state]}"


def _time(text: str) -> str:
    return text.replace("T", " ").removesuffix("Z")
