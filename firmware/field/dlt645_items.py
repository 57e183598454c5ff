"""The data identifiers (DI) of DL/T 645-2007 that matter for electricity monitoring, and their values as text.

Values are packed BCD, low byte first. They are kept as decimal text: a float would not hold 123456.78.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Item:
    """One value: its size on the wire, the digits behind its point, its unit, and whether its top bit is a sign."""

    name: str
    size: int
    decimals: int
    unit: str
    signed: bool = False


_ENERGIES = {
    0x00: Item("combined active energy 组合有功电能", 4, 2, "kWh", signed=True),
    0x01: Item("forward active energy 正向有功电能", 4, 2, "kWh"),
    0x02: Item("reverse active energy 反向有功电能", 4, 2, "kWh"),
    0x03: Item("combined reactive energy 1 组合无功1电能", 4, 2, "kvarh", signed=True),
    0x04: Item("combined reactive energy 2 组合无功2电能", 4, 2, "kvarh", signed=True),
    0x05: Item("reactive energy, quadrant 1 一象限无功电能", 4, 2, "kvarh"),
    0x06: Item("reactive energy, quadrant 2 二象限无功电能", 4, 2, "kvarh"),
    0x07: Item("reactive energy, quadrant 3 三象限无功电能", 4, 2, "kvarh"),
    0x08: Item("reactive energy, quadrant 4 四象限无功电能", 4, 2, "kvarh"),
}

_PHASE_VALUES = {
    0x01: Item("voltage 电压", 2, 1, "V"),
    0x02: Item("current 电流", 3, 3, "A", signed=True),
    0x03: Item("active power 有功功率", 3, 4, "kW", signed=True),
    0x04: Item("reactive power 无功功率", 3, 4, "kvar", signed=True),
    0x05: Item("apparent power 视在功率", 3, 4, "kVA", signed=True),
    0x06: Item("power factor 功率因数", 2, 3, "", signed=True),
    0x07: Item("phase angle 相角", 2, 1, "deg"),
    0x0C: Item("line voltage 线电压", 2, 1, "V"),
}
_WITH_TOTAL = (0x03, 0x04, 0x05, 0x06)  # these begin with the total, the others with phase A
_PHASES = ("total 总", "A", "B", "C")

_SINGLE = {
    0x02800001: Item("neutral current 零线电流", 3, 3, "A"),
    0x02800002: Item("frequency 频率", 2, 2, "Hz"),
    0x02800003: Item("one-minute mean active power 一分钟有功总平均功率", 3, 4, "kW"),
    0x02800007: Item("temperature inside 表内温度", 2, 1, "°C"),
    0x02800008: Item("clock battery voltage 时钟电池电压", 2, 2, "V"),
    0x02800009: Item("outage battery voltage 停电抄表电池电压", 2, 2, "V"),
    0x04000401: Item("communication address 通信地址", 6, 0, ""),
    0x04000402: Item("meter number 表号", 6, 0, ""),
    0x04000409: Item("constant, active 有功常数", 3, 0, "imp/kWh"),
}

_DATE, _CLOCK = 0x04000101, 0x04000102
_WEEKDAYS = ("Sunday 日", "Monday 一", "Tuesday 二", "Wednesday 三", "Thursday 四", "Friday 五", "Saturday 六")

_STATE_BITS: dict[int, dict[int, str]] = {
    1: {
        1: "demand method 需量积算方式",
        2: "clock battery low 时钟电池欠压",
        3: "outage battery low 停电抄表电池欠压",
        4: "active direction reversed 有功方向反",
        5: "reactive direction reversed 无功方向反",
    },
    2: {
        0: "active A reversed",
        1: "active B reversed",
        2: "active C reversed",
        4: "reactive A reversed",
        5: "reactive B reversed",
        6: "reactive C reversed",
    },
    3: {0: "tariff slot set", 1: "auxiliary supply", 2: "battery supply", 3: "programming allowed", 4: "relay open"},
    7: {
        0: "voltage sequence 电压逆相序",
        1: "current sequence 电流逆相序",
        2: "voltage unbalance 电压不平衡",
        3: "current unbalance 电流不平衡",
        4: "auxiliary supply lost 辅助电源失电",
        5: "power-off 掉电",
        6: "demand over limit 需量超限",
        7: "power factor low 总功率因数超下限",
        8: "severe current unbalance 电流严重不平衡",
    },
}
_PHASE_STATE_BITS = {
    0: "loss of voltage 失压",
    1: "under-voltage 欠压",
    2: "over-voltage 过压",
    3: "loss of current 失流",
    4: "over-current 过流",
    5: "overload 过载",
    6: "reverse flow 潮流反向",
    7: "phase failure 断相",
    8: "open current 断流",
}

# the first two bytes of the DI, or all of it without the record's number: event, and what begins its record
_EVENTS = {
    0x0301: "loss of voltage 失压",
    0x0302: "under-voltage 欠压",
    0x0303: "over-voltage 过压",
    0x0304: "phase failure 断相",
    0x0305: "all phases lost 全失压",
    0x0306: "auxiliary supply lost 辅助电源失电",
    0x0307: "voltage sequence 电压逆相序",
    0x0308: "current sequence 电流逆相序",
    0x0309: "voltage unbalance 电压不平衡",
    0x030A: "current unbalance 电流不平衡",
    0x030B: "loss of current 失流",
    0x030C: "over-current 过流",
    0x030D: "open current (CT removed) 断流",
    0x030E: "reverse flow (CT turned round) 潮流反向",
    0x0311: "power-off 掉电",
}
_LOGGED_ACTS = {
    0x033001: "meter cleared 电表清零",
    0x033004: "clock set 校时",
    0x03300D: "cover opened 开表盖",
    0x03300E: "terminal cover opened 开端钮盖",
}
_START_AND_END = (*(event for event in _EVENTS if event != 0x0305), 0x03300D, 0x03300E)
_TIME_BYTES = 6


class NotBcdError(ValueError):
    """A value with a digit above 9 that is not the all-F of `not available`."""


def bcd_digits(data: bytes) -> str:
    """The digits of packed BCD, low byte first. NotBcdError when there is a digit above 9."""
    digits = data[::-1].hex()
    if not digits.isdigit():
        raise NotBcdError(digits)
    return digits


def time_text(data: bytes) -> str:
    """Six bytes ss mm hh DD MM YY as `20YY-MM-DD hh:mm:ss`; all zero or all F: never."""
    if data in (bytes(6), b"\xff" * 6):
        return "never 无"
    year, month, day, hour, minute, second = (bcd_digits(data)[at : at + 2] for at in range(0, 12, 2))
    return f"20{year}-{month}-{day} {hour}:{minute}:{second}"


def describe(di: int, data: bytes) -> dict[str, Any] | None:
    """The name of `di` and the values in `data` (what follows the DI in an answer; b"" for a request).

    None: the DI is not in the tables here. "error" is there when the data do not fit the DI. Raises NotBcdError.
    """
    for reader in (_single, _energy, _phases, _date_time, _state, _event):
        found = reader(di, data)
        if found is not None:
            return found
    return None


def _single(di: int, data: bytes) -> dict[str, Any] | None:
    item = _SINGLE.get(di)
    return None if item is None else _values(item, ("",), data)


def _energy(di: int, data: bytes) -> dict[str, Any] | None:
    kind, tariff, day = di >> 16, di >> 8 & 0xFF, di & 0xFF
    item = _ENERGIES.get(kind)
    if item is None or day > 12 or (tariff > 63 and tariff != 0xFF):
        return None
    names = [f"tariff {number}" if number else _PHASES[0] for number in range(64)]
    names = names if tariff == 0xFF else [names[tariff]]
    found = _values(item, tuple(names), data)
    return {**found, "settlement_days_ago": day} if day else found


def _phases(di: int, data: bytes) -> dict[str, Any] | None:
    kind, phase = di >> 16 & 0xFF, di >> 8 & 0xFF
    item = _PHASE_VALUES.get(kind)
    first = 0 if kind in _WITH_TOTAL else 1
    if di >> 24 != 2 or item is None or di & 0xFF or not (first <= phase <= 3 or phase == 0xFF):
        return None
    names = ("AB", "BC", "CA") if kind == 0x0C else _PHASES[first:]
    return _values(item, names if phase == 0xFF else (names[phase - first],), data)


def _values(item: Item, names: tuple[str, ...], data: bytes) -> dict[str, Any]:
    """The values of an item; a single-phase meter answers fewer of a block than there are names."""
    found: dict[str, Any] = {"name": item.name, "unit": item.unit}
    count = len(data) // item.size
    if len(data) % item.size or count > len(names):
        return {**found, "error": f"{len(data)} bytes of data; {item.size} a value, at most {len(names)} values"}
    parts = [data[at : at + item.size] for at in range(0, len(data), item.size)]
    texts = [_decimal(item, part) for part in parts]
    if len(names) == 1:
        where = {"of": names[0]} if names[0] else {}
        return {**found, **where, **({"value": texts[0]} if texts else {})}
    return {**found, "values": dict(zip(names, texts, strict=False))}


def _decimal(item: Item, data: bytes) -> str:
    if all(byte == 0xFF for byte in data):
        return "not available 无效"
    negative = item.signed and data[-1] & 0x80
    digits = bcd_digits(data[:-1] + bytes([data[-1] & 0x7F]) if negative else data)
    if item.decimals == 0:
        return digits if item.size == 6 else str(int(digits))  # addresses keep their leading zeros
    whole, fraction = digits[: -item.decimals], digits[-item.decimals :]
    return f"{'-' if negative else ''}{int(whole)}.{fraction}"


def _date_time(di: int, data: bytes) -> dict[str, Any] | None:
    if di not in (_DATE, _CLOCK):
        return None
    name, size = ("date and weekday 日期及星期", 4) if di == _DATE else ("time 时间", 3)
    if not data:
        return {"name": name}
    if len(data) != size:
        return {"name": name, "error": f"{len(data)} bytes of data; {size} are needed"}
    digits = bcd_digits(data)
    if di == _CLOCK:
        return {"name": name, "value": f"{digits[:2]}:{digits[2:4]}:{digits[4:]}"}
    weekday = _WEEKDAYS[data[0]] if data[0] < 7 else "not known 未知"
    return {"name": name, "value": f"20{digits[:2]}-{digits[2:4]}-{digits[4:6]}", "weekday": weekday}


def _state(di: int, data: bytes) -> dict[str, Any] | None:
    number = di & 0xFF
    if di >> 8 != 0x040005 or not (1 <= number <= 7 or number == 0xFF):
        return None
    numbers = range(1, 8) if number == 0xFF else (number,)
    name = "meter state words 电表运行状态字" if number == 0xFF else f"meter state word {number} 电表运行状态字{number}"
    if not data:
        return {"name": name}
    if len(data) != 2 * len(numbers):
        return {"name": name, "error": f"{len(data)} bytes of data; {2 * len(numbers)} are needed"}
    words = {one: int.from_bytes(data[2 * at : 2 * at + 2], "little") for at, one in enumerate(numbers)}
    return {"name": name, "words": {str(one): _state_word(one, word) for one, word in words.items()}}


def _state_word(number: int, word: int) -> dict[str, Any]:
    names = _PHASE_STATE_BITS if number in (4, 5, 6) else _STATE_BITS[number]
    found: dict[str, Any] = {
        "hex": f"{word:04X}",
        "set": [names.get(bit, f"bit {bit}") for bit in range(16) if word >> bit & 1],
    }
    return {**found, "phase": "ABC"[number - 4]} if number in (4, 5, 6) else found


def _event(di: int, data: bytes) -> dict[str, Any] | None:
    record = di & 0xFF
    kind = di >> 8 if di >> 8 in _LOGGED_ACTS else di >> 16
    name = _LOGGED_ACTS.get(kind) or _EVENTS.get(kind)
    if name is None or record > 10:
        return None
    phase = di >> 8 & 0xFF if kind in _EVENTS else 0
    found: dict[str, Any] = {
        "name": name,
        "record": f"{record} ago (1 = the latest) 上{record}次" if record else "counters 次数",
    }
    if phase:
        found["phase"] = _PHASES[phase] if phase <= 3 else f"{phase:02X}"
    if not data:
        return found
    if record == 0:
        counts = [bcd_digits(data[at : at + 3]) for at in range(0, len(data) - len(data) % 3, 3)]
        return {**found, "counters": [int(count) for count in counts]}
    if kind in _START_AND_END and len(data) >= 2 * _TIME_BYTES:
        found |= {"start": time_text(data[:6]), "end": time_text(data[6:12])}
        return {**found, "rest": data[12:].hex().upper()} if len(data) > 12 else found
    if kind == 0x033004 and len(data) == 16:
        return {**found, "before": time_text(data[4:10]), "after": time_text(data[10:16])}
    return {**found, "data": data.hex().upper()}
