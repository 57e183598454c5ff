"""What each kind of finding means, for a person who was not there. English and Chinese."""

from collections.abc import Mapping
from datetime import UTC, datetime

from gateway.watch import honesty, linkage

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
}

_FACTS: Mapping[str, str] = {
    "production_w": "production / 产污",
    "treatment_w": "treatment / 治污",
    "shown_first_s": "first shown / 首次出现",
}


def facts_text(facts: Mapping[str, int]) -> str:
    """Facts of a finding with their units; instants in UTC."""
    told = facts_json(facts)
    return ", ".join(f"{_FACTS[name]} {told.get(name, told.get(name[:-2]))}{_unit(name)}" for name in sorted(facts))


def facts_json(facts: Mapping[str, int]) -> dict[str, int | str]:
    """Facts of a finding as JSON has them: an instant (`_s`) as ISO 8601 under its name without the unit."""
    return {name.removesuffix("_s"): _instant(value) if _unit(name) == "" else value for name, value in facts.items()}


def _unit(name: str) -> str:
    return " W" if name.endswith("_w") else ""


def _instant(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
