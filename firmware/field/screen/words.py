"""All that stands on the screen, in both languages."""

from __future__ import annotations

from typing import Literal

Language = Literal["en", "zh"]

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("Wattline live", "Wattline 实时"),
    "points": ("Points", "测点"),
    "diagram": ("Phases", "相量图"),
    "traffic": ("Bus", "总线"),
    "log": ("Log", "日志"),
    "number": ("No", "号"),
    "name": ("Name", "名称"),
    "kind": ("Kind", "类别"),
    "address": ("Address", "地址"),
    "power": ("P kW", "P kW"),
    "current": ("I A", "I A"),
    "voltage": ("U V", "U V"),
    "factor": ("PF", "PF"),
    "wiring": ("Wiring", "接线"),
    "production": ("production", "产污"),
    "treatment": ("treatment", "治污"),
    "other": ("other", "其他"),
    "no_values": ("no values yet", "尚无读数"),
    "voltage_arrow": ("A B C  voltages (dotted)", "A B C  电压（虚线）"),
    "current_arrow": ("a b c  currents", "a b c  电流"),
    "order_unknown": ("phase order: not told", "电表不提供相序"),
    "no_phases": ("no power of each phase", "无分相功率"),
    "reading": ("reading", "读取中"),
    "paused": ("PAUSED", "已暂停"),
    "answers": ("answers", "应答"),
    "signal": ("signal", "信号"),
    "silent": ("silent", "无应答"),
    "garbled": ("garbled", "校验错"),
    "refused": ("other model", "型号不符"),
    "no_line": ("line not possible", "串口不支持"),
    "is_silent": ("gives nothing", "无读数"),
    "is_back": ("reads again", "恢复读数"),
    "well": ("ok", "正常"),
    "open": ("?", "?"),
    "load_low": ("load < 10 %", "负荷<10%"),
    "ended": ("the bus is gone", "总线已断开"),
    "quit": ("Quit", "退出"),
    "pause": ("Pause", "暂停"),
    "language": ("中文", "English"),
    "view": ("View", "视图"),
    "next": ("Next pane", "下一栏"),
    "small": ("at least 80 x 24 / 至少 80 x 24", "至少 80 x 24 / at least 80 x 24"),
}


# of what is wrong with a wiring, as short as a column; all of it is in firmware/field/wiring/words.py
_SHORT: dict[str, tuple[str, str]] = {
    "ct_turned": ("CT turned", "互感器反"),
    "all_turned": ("all CTs turned", "全部接反"),
    "ct_exchanged": ("CTs exchanged", "互感器互换"),
    "ct_rotated": ("CTs one phase on", "整体错相"),
    "ct_elsewhere": ("CT elsewhere", "互感器错位"),
    "voltage_exchanged": ("U exchanged", "电压互换"),
    "phase_order": ("phase order", "逆相序"),
    "ct_missing": ("no current", "无电流"),
    "ct_shorted": ("CT shorted", "二次短接"),
    "ct_other_ratio": ("other ratio", "变比不同"),
    "ratio_setting": ("ratio setting", "变比设置"),
    "voltage_missing": ("no voltage", "无电压"),
    "voltage_wrong": ("voltage", "电压异常"),
    "single_phase_meter": ("single-phase", "单相表"),
    "one_of": ("wrong: check", "接线有误"),
    "some_wrong": ("a CT is wrong", "互感器有误"),
}


def short(code: str, phases: str, language: Language) -> str:
    """A mistake in the wiring, for a narrow column."""
    words = _SHORT.get(code, (code, code))
    return f"{words[0 if language == 'en' else 1]} {phases.upper()}".rstrip()


def say(name: str, language: Language) -> str:
    """A text in a language."""
    return _WORDS[name][0 if language == "en" else 1]
