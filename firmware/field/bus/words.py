"""What the scan and the live values say to a person, in both languages, and what is to be done."""

from __future__ import annotations

from dataclasses import replace

from firmware.field.bus import points
from firmware.field.bus.reach import line_text
from firmware.field.bus.scan import Found
from firmware.field.bus.snapshot import SILENT_WORDS, Snapshot
from firmware.field.outcome import Finding

# what stands in the way of a meter: what it is, and what to do
_TROUBLE: dict[str, tuple[str, str, str, str]] = {
    "two_meters": (
        "address {0}: answers are garbled or come twice: two meters have this address",
        "地址 {0}：应答混乱或重复，两块表使用同一地址",
        "take one off the bus, scan again, and give it another address; if there is one only: A, B, termination",
        "断开其中一块后重新扫描，并在表上改地址；若只有一块表，检查其 A、B 接线与终端电阻",
    ),
    "several_dlt645": (
        "several DL/T 645 meters answer at once, and some were not told apart {0}",
        "多块 DL/T 645 电表同时应答，其中有的未能区分 {0}",
        "write the 12 digits on each one's face into the plan: then each is asked by its number",
        "将各表面板上的 12 位表号填入方案，即可逐块读取",
    ),
    "noise": (
        "many addresses answer nothing but rubbish",
        "多个地址只收到乱码",
        "is another master on the bus (the terminal)? A and B exchanged? the termination?",
        "总线上是否还有其他主机（终端）？A、B 是否接反？终端电阻是否正确？",
    ),
    "unknown_model": (
        "address {0}: it answers, and no profile fits",
        "地址 {0}：有应答，但没有匹配的型号",
        "has it voltage? else it needs a profile of its own: docs/meters.md",
        "电表是否已加电压？否则需新增型号文件，见 docs/meters.md",
    ),
}


def found(one: Found) -> Finding:
    """A meter, or what stands in the way of one."""
    at = line_text(one.line)
    trouble = one.trouble or ("" if one.models else "unknown_model")
    if trouble:
        en, zh, do_en, do_zh = _TROUBLE[trouble]
        texts = (f"{at}, {en.format(one.address)}".rstrip(), f"{at}，{zh.format(one.address)}".rstrip())
        return Finding(trouble, *texts, do_en, do_zh)
    names = ", ".join(fit.name for fit in one.models)
    return Finding("meter", f"{at}, address {one.address}: {names}", f"{at}，地址 {one.address}：{names}")


def on_bus(uart: int, one: Finding) -> Finding:
    """A finding of one of several buses, by the terminal's RS-485 port."""
    return replace(one, en=f"bus {uart}: {one.en}", zh=f"总线 {uart}：{one.zh}")


def missing(planned: points.Planned) -> Finding:
    """A planned meter that no scan found."""
    meter = planned.meter
    return Finding(
        "meter_missing",
        f"point {planned.title}: nothing at {line_text(meter.line)}, address {meter.address}",
        f"测点 {planned.title}：{line_text(meter.line)} 地址 {meter.address} 无应答",
        "look at the meter's supply, A and B, and at the address and speed in its menu",
        "检查电表供电、A/B 接线及表内地址与波特率设置",
    )


def other_model(planned: points.Planned, one: Found) -> Finding:
    """A planned meter whose registers are another model's."""
    names = ", ".join(fit.name for fit in one.models)
    return Finding(
        "other_model",
        f"point {planned.title}: the plan says {planned.meter.profile.name}, its registers are those of {names}",
        f"测点 {planned.title}：方案为 {planned.meter.profile.name}，实际寄存器符合 {names}",
        "correct the plan, or the meter's address",
        "更正方案中的型号，或更正电表地址",
    )


def silent(planned: points.Planned, snapshot: Snapshot) -> Finding:
    """A planned meter that gave nothing."""
    en, zh = SILENT_WORDS[snapshot.said].split(" / ")
    at = f"{line_text(planned.meter.line)}, {planned.meter.address}"
    return Finding(
        snapshot.said,
        f"point {planned.title} ({at}): {en}",
        f"测点 {planned.title}（{at}）：{zh}",
        "run `wattline field scan` to see who is on the bus",
        "运行 wattline field scan 查看总线上的电表",
    )
