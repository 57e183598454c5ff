"""What each verdict of the wiring check means, and what to turn round: for a technician, in both languages."""

from __future__ import annotations

from typing import NamedTuple

from firmware.field.outcome import Finding
from firmware.field.wiring.facts import Mistake


class Words(NamedTuple):
    """{phases}: the phases, {0} and on: a mistake's numbers."""

    en: str
    zh: str
    do_en: str = ""
    do_zh: str = ""


_SAFE_EN = "first short its secondary at the test block, never open it under load"
_SAFE_ZH = "先在试验端子短接二次侧，带负荷时严禁开路"

WORDS: dict[str, Words] = {
    "ct_turned": Words(
        "the CT of phase {phases} is turned round",
        "{phases} 相互感器接反",
        f"exchange S1 and S2 of phase {{phases}}'s CT ({_SAFE_EN}), or turn its clamp round",
        f"对调 {{phases}} 相互感器的 S1、S2（{_SAFE_ZH}），或将钳形互感器翻转",
    ),
    "all_turned": Words(
        "all CTs ({phases}) are turned round: power flows backwards",
        "{phases} 相互感器全部接反：功率为负",
        f"exchange S1 and S2 of each CT ({_SAFE_EN}); are supply and load side confused?",
        f"逐一对调各相互感器的 S1、S2（{_SAFE_ZH}）；是否混淆了进线侧与负荷侧？",
    ),
    "ct_exchanged": Words(
        "the CTs of {phases} sit on each other's phases",
        "{phases} 两相互感器互相接错",
        f"exchange the two CTs' wires at the meter ({_SAFE_EN}), or the clamps on the conductors",
        f"在电表处对调这两相互感器接线（{_SAFE_ZH}），或对调钳形互感器位置",
    ),
    "ct_rotated": Words(
        "all CTs are one phase on: those of A, B, C sit on {0}, {1}, {2}",
        "互感器整体错一相：A、B、C 的互感器实际在 {0}、{1}、{2} 相",
        "put each CT on the conductor whose voltage is at its element, or move the voltage leads on by one",
        "将每只互感器移到与其电压同相的导线上，或将电压线顺移一相",
    ),
    "ct_elsewhere": Words(
        "the CT of phase {phases} sits on phase {0}, where another one is already",
        "{phases} 相互感器装在 {0} 相导线上（与另一只同相）",
        "put it around the conductor of phase {phases}",
        "将其装到 {phases} 相导线上",
    ),
    "voltage_exchanged": Words(
        "the voltage leads of {phases} are exchanged",
        "{phases} 两相电压线接反",
        "switch off, and exchange these two voltage leads at the meter",
        "断电后在电表处对调这两根电压线",
    ),
    "phase_order": Words(
        "the phase order is reversed, voltages and CTs alike: active energy is right all the same",
        "相序整体接反（电压与互感器一致）：有功电能正确，但电表报逆相序",
        "switch off, and exchange two phases at the meter, voltage lead and CT together",
        "断电后在电表处同时对调任意两相的电压线与互感器",
    ),
    "ct_missing": Words(
        "no current in phase {phases}: its CT is missing, or its wire is off",
        "{phases} 相无电流：互感器未接或断线",
        "look for an open wire with the load OFF: an open secondary under load is dangerous",
        "停负荷后检查断线：带负荷时二次开路有危险",
    ),
    "ct_shorted": Words(
        "phase {phases} has only {0} % of the others' current: its CT is shorted",
        "{phases} 相电流仅为其他相的 {0}%：互感器二次被短接",
        "take out the shorting link at the test block; look for damaged insulation",
        "取下试验端子短接片，检查绝缘破损",
    ),
    "ct_other_ratio": Words(
        "phase {phases} shows {0} times the others' current: its CT has another ratio",
        "{phases} 相电流为其他相的 {0} 倍：该相互感器变比不同",
        "compare the three CTs' plates; fit three alike",
        "核对三只互感器铭牌，换成相同变比",
    ),
    "ratio_wrong": Words(
        "the readings are {0} times what runs: the ratio would have to be {1}",
        "读数为实际的 {0} 倍：变比应约为 {1}",
        "read the CT's plate; correct ct_ratio in the plan, or the setting in the meter; is the ratio applied twice?",
        "核对互感器铭牌，更正计划中的 ct_ratio 或表内变比；是否重复乘以变比？",
    ),
    "ratio_setting": Words(
        "the meter is set to a ratio of {0}, the plan says {1}",
        "表内变比为 {0}，计划为 {1}",
        "read the CT's plate; correct whichever is wrong",
        "核对互感器铭牌，更正错误的一方",
    ),
    "voltage_missing": Words(
        "no voltage at phase {phases}",
        "{phases} 相无电压",
        "look at the fuse and the lead of phase {phases}",
        "检查 {phases} 相熔断器与电压线",
    ),
    "voltage_wrong": Words(
        "phase {phases} has {0} V: no phase voltage of a 220/380 V network",
        "{phases} 相电压 {0} V：不是 220/380 V 系统的相电压",
        "is N connected? A line voltage between two phases? A PT ratio missing in the plan?",
        "N 线是否接好？是否误接线电压？计划中是否缺少 PT 变比？",
    ),
    "single_phase_meter": Words(
        "the meter measures one phase, the point has three",
        "测点为三相，电表为单相表",
        "fit a three-phase meter; or correct the plan, if the feeder has one phase",
        "更换三相电表；若回路为单相，请更正计划",
    ),
    "no_current": Words(
        "{1} W should run, and the meter sees {0} VA",
        "应有 {1} W 负荷，电表仅测得 {0} VA",
        "are the CTs connected, and their shorting links out? Does the meter belong to another feeder?",
        "互感器是否接好、短接片是否取下？电表是否属于其他回路？",
    ),
    "draws_while_off": Words(
        "it stands still, and the meter sees {0} VA: its CTs are on another feeder",
        "设备停机，电表仍测得 {0} VA：互感器装在其他回路上",
        "follow the conductors from the CTs to the machine",
        "从互感器沿导线核对到设备",
    ),
    "points_exchanged": Words(
        "{0} ({1}) shows what {2} ({3}) draws: the two are exchanged",
        "{0}（{1}）的读数是 {2}（{3}）的负荷：两测点互换",
        "exchange the two meters' addresses in the plan, or their CTs",
        "在计划中对调两表地址，或对调互感器",
    ),
    "one_of": Words(
        "it is wired wrongly, in one of these ways: {all}",
        "接线有误，可能是：{all}",
        "mend the first, and check again; a known load (a motor) and its power tell more",
        "先按第一项处理后重新检查；使用已知功率的电动机负荷可进一步区分",
    ),
    "some_wrong": Words(
        "active power is only {0} of U times I: a CT is turned round or on another phase",
        "有功功率仅为 U×I 的 {0} 倍：有互感器接反或接错相",
        "this meter does not say which: turn round one CT at a time, and keep what gives the highest power",
        "该电表不能指出哪一相：逐只对调，保留功率最大的接法",
    ),
    "no_readings": Words(
        "the meter gave no readings", "电表无读数", "run `wattline field scan`", "运行 wattline field scan"
    ),
    "not_running": Words(
        "it does not run, so nothing can be judged",
        "设备未运行，无法判断",
        "let it run at 10 % of its rated power at least",
        "请使其在额定功率 10% 以上运行",
    ),
    "rated_unknown": Words(
        "neither rated power nor the load was told",
        "未给出额定功率或负荷",
        "give it: --rated POINT=kW, or a site plan",
        "请用 --rated 测点=kW 或现场计划给出",
    ),
    "load_low": Words(
        "it draws {0} % of its rated {1} W: too little to judge",
        "当前负荷为额定 {1} W 的 {0}%：过低，无法判断",
        "switch on more, 10 % at least",
        "增加负荷至 10% 以上",
    ),
    "maybe_wrong": Words(
        "it may be right, or: {all}",
        "可能正确，也可能是：{all}",
        "say how much runs, or let a plain motor run alone, and check again",
        "请说明负荷大小，或仅运行普通电动机后重新检查",
    ),
    "factor_low": Words(
        "the power factor is below 0.57: such a load, or all CTs one phase on, and this meter can't tell",
        "功率因数低于 0.57：可能是负荷如此，也可能整体错相，该电表无法区分",
        "let a load with a better power factor run (an oven, a loaded motor), and check again",
        "运行功率因数较高的负荷（电炉、满载电动机）后重新检查",
    ),
    "no_fit": Words(
        "no way of wiring explains these angles",
        "没有任何接线方式符合这些角度",
        "is the load changing fast? is it three single-phase loads? let a three-phase motor run alone",
        "负荷是否剧烈变化？是否为单相负荷？请仅运行三相电动机",
    ),
    "ratio_doubtful": Words(
        "the readings are {0} times what was told: the ratio, or the telling",
        "读数为所述负荷的 {0} 倍：变比或所述负荷有误",
        "measure one phase with a clamp: --clamp POINT=A",
        "用钳形表测一相电流：--clamp 测点=A",
    ),
    "not_told_apart": Words(
        "whether {0} and {1} are exchanged is not known: both drew alike in every moment",
        "无法判断 {0} 与 {1} 是否互换：两者负荷始终相近",
        "let one of them run alone, and check again",
        "请只运行其中一个后重新检查",
    ),
    "no_sequence": Words("the phase order is not judged: this meter does not tell it", "该电表不提供相序，未判断相序"),
    "no_phase_powers": Words(
        "this meter has no power of each phase: a CT on another phase can stay unseen",
        "该电表无分相功率：错相可能无法发现",
        "compare with a clamp-on power meter",
        "用钳形功率表核对",
    ),
    "ratio_not_judged": Words(
        "the ratio is not judged: nobody said how much runs",
        "未给出负荷大小，未判断变比",
        "give it: --running POINT=kW",
        "请用 --running 测点=kW 给出",
    ),
}


def finding(mistake: Mistake, title: str) -> Finding:
    """A mistake of the point with this title, for a person."""
    words = WORDS[mistake.code]
    letters = {"phases": ", ".join(mistake.phases.upper())}
    more = [one.upper() if isinstance(one, str) and one in "abc" else one for one in mistake.more]

    def filled(text: str, apart: str, *, readable: int) -> str:
        ways = apart.join(_way(str(one), readable) for one in mistake.more)
        return text.format(*more, all=ways, **letters) if text else ""

    return Finding(
        mistake.code,
        f"{title}: {filled(words.en, '; or ', readable=0)}",
        f"{title}：{filled(words.zh, '；或 ', readable=1)}",
        filled(words.do_en, "; or ", readable=0),
        filled(words.do_zh, "；或 ", readable=1),
    )


def _way(way: str, language: int) -> str:
    """`ct_turned a + ct_exchanged bc` in words."""
    parts = [part.split(" ") for part in way.split(" + ")]
    if any(len(part) != 2 or part[0] not in WORDS for part in parts):
        return way
    joined = (" and ", "，且 ")[language]
    return joined.join(_short(WORDS[code][language], phases) for code, phases in parts)


def _short(text: str, phases: str) -> str:
    """Without what a mistake's numbers would say."""
    return text.format("?", "?", "?", phases=", ".join(phases.upper()))
