"""Says in words what captured DL/T 645-2007 bytes mean. Never raises, never shows a password.

A frame is found as the parser must find it: FE is skipped only before the first 68, a 68 begins a frame only if a
second one stands seven bytes later, the length byte says where it ends, and only then the check sum and the 16 are
looked at. A 16, 68 or FE inside a frame is data.
"""

from __future__ import annotations

from typing import Any

from firmware.field import dlt645_items as items
from firmware.field.finding import Finding, finding, several

_START, _END, _WAKE_UP, _OFFSET = 0x68, 0x16, 0xFE, 0x33
_HEAD_BYTES = 10  # 68, address, 68, C, L
_DATA_MAX = 200  # DL/T 645-2007 5.2.5: L when reading
_FRAME_MAX = _HEAD_BYTES + _DATA_MAX + 2
_FROM_METER, _ERROR, _MORE = 0x80, 0x40, 0x20

_PASSWORDS = bytes.fromhex("0C0004")  # 04000Cnn, low byte first: the meter's passwords

Told = tuple[str, str, dict[str, Any]]  # verdict, reason, fields

FUNCTIONS = {
    0x08: "broadcast time set 广播校时",
    0x11: "read data 读数据",
    0x12: "read the following part 读后续数据",
    0x13: "read address 读通信地址",
    0x14: "write data 写数据",
    0x15: "write address 写通信地址",
    0x16: "freeze 冻结",
    0x17: "change speed 更改通信速率",
    0x18: "change password 修改密码",
    0x19: "clear demand 最大需量清零",
    0x1A: "clear meter 电表清零",
    0x1B: "clear events 事件清零",
    0x1C: "relay control 跳合闸、报警、保电",
}
_WRITES = (0x08, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x1C)
_ERRORS = (
    "other 其他错误",
    "no such data 无请求数据",
    "wrong password or not allowed 密码错/未授权",
    "speed cannot change 通信速率不能更改",
    "too many year zones 年时区数超",
    "too many day slots 日时段数超",
    "too many tariffs 费率数超",
)
_SPEEDS = {0x02: 600, 0x04: 1200, 0x08: 2400, 0x10: 4800, 0x20: 9600, 0x40: 19200}


def explain(data: bytes) -> Finding:
    """What captured bytes of an RS-485 line mean. {"verdict", "reason", "fields"}; several frames under "frames"."""
    return several(data, _first)


def _first(data: bytes, before: list[Finding]) -> tuple[Finding, int]:
    del before  # an answer names what it answers
    wake_ups = len(data) - len(data.lstrip(bytes([_WAKE_UP])))
    failure: Finding | None = None  # of the first 68 that a second one confirms
    weak_failure = _no_frame(data, wake_ups)
    for at in (place for place in range(wake_ups, len(data)) if data[place] == _START):
        problem, size = _measure(data[at : at + _FRAME_MAX])
        if problem is None and failure is None:
            return _whole(data[at : at + size], wake_ups, at - wake_ups), at + size
        if problem is None and failure is not None:
            return failure, at  # the damaged one is told; the next call begins at the good one
        if size:
            failure = failure or problem
        elif problem is not None and weak_failure["reason"].startswith("no-start"):
            weak_failure = problem
    return failure or weak_failure, 0


def _measure(data: bytes) -> tuple[Finding | None, int]:
    """Whether a whole frame begins here: (None, its size), or what is wrong. Size 0: no second 68 stands behind."""
    if len(data) > 7 and data[7] != _START:
        return finding("malformed", f"no-second-68: {data[7]:02X} seven bytes behind the 68 缺少第二个68H", {}), 0
    if len(data) < _HEAD_BYTES:
        return _cut_short(data, _HEAD_BYTES + 2), _HEAD_BYTES + 2
    length = data[9]
    size = _HEAD_BYTES + length + 2
    if length > _DATA_MAX:
        return finding("refused", f"too-long: L = {length}; at most {_DATA_MAX} 数据域超长", _head(data)), size
    if len(data) < size:
        return _cut_short(data, size), size
    checks = _checks(data[:size])
    if not checks["agrees"]:
        reason = (
            f"checksum: {checks['claimed']} claimed, {checks['computed']} computed; check parity and wiring 校验错误"
        )
        return finding("malformed", reason, {**_head(data), "checksum": checks}), size
    if data[size - 1] != _END:
        reason = f"no-end: {data[size - 1]:02X} where 16 belongs 缺少结束符16H"
        return finding("malformed", reason, {**_head(data), "checksum": checks}), size
    return None, size


def _cut_short(data: bytes, needed: int) -> Finding:
    reason = f"cut-short: {len(data)} bytes from the 68 on, {needed} needed; capture the whole frame 报文不完整"
    return finding("incomplete", reason, _head(data) if len(data) >= _HEAD_BYTES else {})


def _no_frame(data: bytes, wake_ups: int) -> Finding:
    if wake_ups == len(data):
        return finding("incomplete", f"cut-short: {wake_ups} wake-up bytes FE, no frame yet 仅有前导字节", {})
    return finding("malformed", f"no-start: no 68 in {len(data)} bytes 没有帧起始符68H", {})


def _head(data: bytes) -> dict[str, Any]:
    control = data[8]
    function = control & 0x1F
    fields: dict[str, Any] = {"address": _address(data[1:7]), "control": f"{control:02X}"}
    fields["function"] = FUNCTIONS.get(function, "not known 未知")
    fields["direction"] = "from the meter 从站应答" if control & _FROM_METER else "to the meter 主站请求"
    if control & _FROM_METER:
        fields |= {"error_answer": bool(control & _ERROR), "more_follows": bool(control & _MORE)}
    if function in _WRITES and not control & _FROM_METER:
        fields["write"] = "WRITE COMMAND: changes the meter 写命令"
    return {**fields, "length": data[9]}


def _address(data: bytes) -> dict[str, str]:
    digits = data[::-1].hex().upper()
    if digits == "A" * 12:
        return {"digits": digits, "meaning": "any meter 通配地址"}
    if digits == "9" * 12:
        return {"digits": digits, "meaning": "broadcast, never answered 广播地址"}
    if digits.startswith("AA"):
        return {"digits": digits.lstrip("A"), "meaning": "shortened: the last digits 缩位地址"}
    return {"digits": digits}


def _checks(frame: bytes) -> dict[str, Any]:
    claimed, computed = frame[-2], sum(frame[:-2]) & 0xFF
    return {"claimed": f"{claimed:02X}", "computed": f"{computed:02X}", "agrees": claimed == computed}


def _whole(frame: bytes, wake_ups: int, noise: int) -> Finding:
    fields = {**_head(frame), "checksum": _checks(frame), "wake_up_bytes": wake_ups}
    if noise:
        fields["notes"] = [f"leading: {noise} bytes before the 68 帧前有多余字节"]
    data = bytes((byte - _OFFSET) & 0xFF for byte in frame[_HEAD_BYTES:-2])
    control = frame[8]
    if control & 0x1F not in FUNCTIONS:
        reason = f"unknown-function: C = {control:02X} is not one that is read here 控制码未知"
        return finding("unknown", reason, {**fields, "data": data.hex().upper()})
    verdict, reason, told = _content(control, data)
    return finding(verdict, reason, {**fields, **told})


def _content(control: int, data: bytes) -> Told:
    """What the data of a frame say."""
    function = control & 0x1F
    if control & _FROM_METER and control & _ERROR:
        return _error(data)
    if not data and function not in (0x11, 0x12):
        return "ok", "", {}
    if function >= 0x18:  # these begin with the password; nothing of them is shown
        return "ok", "", {"data": f"({len(data)} bytes with a password, not shown 不显示)"}
    try:
        told = _READERS[function](control, data)
    except items.NotBcdError as error:
        return _not_bcd(error, data)
    if told is not None:
        return told
    reason = f"bad-length: {len(data)} bytes of data do not fit C = {control:02X} 数据长度与控制码不符"
    return "malformed", reason, {"data": data.hex().upper()}


def _not_bcd(error: items.NotBcdError, data: bytes) -> Told:
    return "malformed", f"not-bcd: {error} has a digit above 9 数据不是BCD码", {"data": data.hex().upper()}


def _error(data: bytes) -> Told:
    if len(data) != 1:
        return "malformed", f"bad-length: an error answer has 1 byte, not {len(data)} 错误应答长度不符", {}
    names = [name for bit, name in enumerate(_ERRORS) if data[0] >> bit & 1]
    return "ok", "", {"error": {"hex": f"{data[0]:02X}", "meaning": names or ["none named 未指明"]}}


def _time_set(control: int, data: bytes) -> Told | None:
    del control
    return ("ok", "", {"time": items.time_text(data)}) if len(data) == 6 else None


def _meter_address(control: int, data: bytes) -> Told | None:
    del control
    return ("ok", "", {"meter_address": items.bcd_digits(data)}) if len(data) == 6 else None


def _speed(control: int, data: bytes) -> Told | None:
    del control
    fields = {"speed_code": data.hex().upper(), "speed_baud": _SPEEDS.get(data[0], "not known 未知")}
    return ("ok", "", fields) if len(data) == 1 else None


def _freeze(control: int, data: bytes) -> Told | None:
    del control
    if len(data) != 4:
        return None
    minute, hour, day, month = (f"{byte:02X}" for byte in data)
    return "ok", "", {"freeze_at": f"{month}-{day} {hour}:{minute} (99: every 每)"}


def _write(control: int, data: bytes) -> Told | None:
    if control & _FROM_METER or len(data) < 12:
        return None
    verdict, reason, told = _item(data[:4], b"")
    hidden = data[1:4] == _PASSWORDS
    value = "(not shown 不显示)" if hidden else data[12:].hex().upper()
    return (
        verdict,
        reason,
        {**told, "password": "(not shown 不显示)", "operator": data[8:12][::-1].hex(), "data": value},
    )


def _read(control: int, data: bytes) -> Told | None:
    answer = bool(control & _FROM_METER)
    following = control & 0x1F == 0x12
    if len(data) < 4 + following:
        return None
    content = data[4 : len(data) - following] if answer else b""
    if not following and not control & _MORE:
        return _item(data[:4], content)
    verdict, reason, told = _item(data[:4], b"")  # a part of a record: its values may be cut in two
    sequence = {"sequence": data[-1]} if following else {}
    return verdict, reason, {**told, **sequence, **({"part": content.hex().upper()} if answer else {})}


_READERS = {
    0x08: _time_set,
    0x11: _read,
    0x12: _read,
    0x13: _meter_address,
    0x14: _write,
    0x15: _meter_address,
    0x16: _freeze,
    0x17: _speed,
}


def _item(identifier: bytes, content: bytes) -> Told:
    di = int.from_bytes(identifier, "little")
    fields: dict[str, Any] = {"identifier": f"{di:08X}"}
    try:
        told = items.describe(di, content)
    except items.NotBcdError as error:
        verdict, reason, data = _not_bcd(error, content)
        return verdict, reason, {**fields, **data}
    if told is None:
        fields |= {"data": content.hex().upper()} if content else {}
        reason = f"unknown-identifier: {di:08X} is not in the tables here; see the meter's manual 数据标识未知"
        return "unknown", reason, fields
    if "error" in told:
        return "malformed", f"bad-length: {told['error']} 数据长度与数据标识不符", {**fields, **told}
    return "ok", "", {**fields, **told}
