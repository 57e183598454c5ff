"""What each kind of finding means, for a person who was not there. English and Chinese."""

from collections.abc import Mapping
from datetime import UTC, datetime

from gateway.watch import honesty, linkage, service

MEANING: Mapping[str, str] = {
    linkage.TREATMENT_OFF: "production ran, treatment did not / 生产开、治污停",
    linkage.STARTED_LATE: "treatment started long after production / 治污晚开",
    linkage.STOPPED_EARLY: "treatment stopped before it may / 治污早停",
    linkage.TREATMENT_IDLE: "treatment was on, and did no work / 治污空转或负荷过低",
    linkage.TREATMENT_SILENT: "production is measured, treatment is not / 生产有数、治污无数",
    linkage.ORDER_BROKEN: "production drew more than an order allows / 违反停产限产指令",
    honesty.FROZEN: "nothing at all changed for an hour or longer / 数据冻结",
    honesty.REPLAYED: "the same as at an earlier time, window for window / 重复历史数据",
    honesty.ALIKE: "the same as another point / 两测点数据相同",
    honesty.PHASE_LOST: "one phase without current under load: transformer off, shorted / 一相无电流",
    honesty.REVERSED: "energy flows backwards under load: transformer turned round / 互感器接反",
    honesty.FACTOR_LOW: "power factor below 0.55 under load: phases exchanged / 功率因数过低，相序接错",
    service.SILENT: "nothing came from the terminal / 终端无数据",
    service.POWER_LOST: "nothing came: the terminal had no power / 终端停电",
    service.LINK_LOST: "nothing came: its link was down, it went on measuring / 通信中断，终端仍在计量",
    service.CLONED: "two logs of the terminal tell of one time: a copy of it speaks / 同一时段有两份记录，终端疑被复制",
    service.LATE: "windows came long after their end / 数据迟到",
    service.CLOCK_WRONG: "the terminal's clock may be wrong / 终端时钟不准",
    service.CLOCK_STEPPED: "the terminal's clock was set by much / 终端时钟大幅调整",
    service.LOG_FILLING: "many records wait in the terminal / 终端积压数据过多",
    service.LOG_FULL: "the terminal's log was full: records are lost / 终端存储已满，数据丢失",
    service.SUPPLY_LOW: "the terminal's supply or battery is low / 终端电压过低",
    service.METER_SWAPPED: "another meter answers / 电表已更换",
    service.RATIO_CHANGED: "the transformers' ratio was set anew / 互感器变比已更改",
    service.SINK_FAILING: "what is forwarded to this sink does not arrive / 转发目标持续失败",
    service.CERTIFICATE_ENDING: "a certificate ends soon / 证书即将到期",
    service.CERTIFICATE_ENDED: "a certificate has ended: who has it gets in nowhere / 证书已过期，无法连接",
    service.REGISTER: "an energy register fell, jumped, or does not fit the power / 电能示值异常",
}

_FACTS: Mapping[str, str] = {
    "production_w": "production / 产污",
    "treatment_w": "treatment / 治污",
    "shown_first_unix_s": "first shown / 首次出现",
    "step_s": "step / 步长",
    "pending": "waiting / 积压",
    "dropped": "lost / 丢失",
    "supply_mv": "supply / 供电",
    "ends_unix_s": "ends / 到期",
}
_INSTANT = "_unix_s"
_UNITS = {"_w": "W", "_s": "s", "_mv": "mV"}


def facts_text(facts: Mapping[str, int]) -> str:
    """Facts of a finding with their units; instants in UTC."""
    return ", ".join(f"{_FACTS[name]} {_shown(name, value)}" for name, value in sorted(facts.items()))


def facts_json(facts: Mapping[str, int]) -> dict[str, int | str]:
    """Facts of a finding as JSON has them: an instant as ISO 8601, under its name without the unit."""
    return {
        name.removesuffix(_INSTANT): _shown(name, value) if name.endswith(_INSTANT) else value
        for name, value in facts.items()
    }


def facts_zh(facts: Mapping[str, int | str]) -> str:
    """Facts as facts_json has them, in Chinese."""
    names = {name.removesuffix(_INSTANT): text.partition(" / ")[2] for name, text in _FACTS.items()}
    return "，".join(
        f"{names[name]} {value if isinstance(value, str) else _shown(name, value)}" for name, value in facts.items()
    )


def _shown(name: str, value: int) -> str:
    if name.endswith(_INSTANT):
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return " ".join([str(value), *(unit for end, unit in _UNITS.items() if name.endswith(end))])
