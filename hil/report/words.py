"""The report's words, in English and in Chinese."""

from hil.fault_kinds import KINDS

STATE = {
    "lost": ("lost", "丢失"),
    "wrong": ("not as it was", "有误"),
    "late": ("late: kept, sent afterwards", "迟到：先存后传"),
    "gap": ("a meter gave nothing", "有电表无应答"),
    "well": ("in time", "按时"),
}
# protocol.record, NONE_*
NONE = {
    1: ("meter silent", "电表无应答"),
    2: ("meter refused", "电表拒绝"),
    3: ("garbled answers", "应答损坏"),
    4: ("another meter answered", "应答来自其他电表"),
    5: ("not sampled", "未采样"),
}
INVARIANT = {
    0: ("What the scenario expects", "场景的预期"),
    1: ("Nothing lost", "无丢失"),
    2: ("Nothing twice", "无重复"),
    3: ("Nothing invented", "无虚构"),
    4: ("Nothing forged", "无伪造"),
    5: ("Order does not matter", "与次序无关"),
    6: ("It always comes back", "总能恢复"),
}
KIND = {"production": ("production", "产污"), "treatment": ("treatment", "治污"), "other": ("other", "其他")}


def trouble(what: str) -> tuple[str, str]:
    """A trouble's name; `meter_silent (furnace)` keeps whom it is about."""
    name, _, about = what.partition(" ")
    english = f"{name.replace('_', ' ')} {about}".strip()
    return english, f"{KINDS[name].text_zh} {about}".strip() if name in KINDS else english
