"""The report's words, in English and in Chinese."""

STATE = {
    "lost": ("lost", "丢失"),
    "wrong": ("not as it was", "有误"),
    "late": ("late: kept, sent afterwards", "迟到：先存后传"),
    "gap": ("a meter gave nothing", "有电表无应答"),
    "well": ("in time", "按时"),
}
TROUBLE = {
    "broker_outage": ("broker away", "消息代理中断"),
    "broker_kill": ("broker killed", "消息代理被强杀"),
    "gateway_outage": ("gateway away", "网关停运"),
    "gateway_kill": ("gateway killed", "网关被强杀"),
    "terminal_kill": ("terminal without power", "终端断电"),
    "platform_silent": ("platform silent", "平台不应答"),
    "meter_silent": ("meter silent", "电表无应答"),
    "treatment_off": ("treatment off", "治污停运"),
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
    english, chinese = TROUBLE.get(name, (name.replace("_", " "), ""))
    return f"{english} {about}".strip(), f"{chinese} {about}".strip() if chinese else ""
