"""Says in words what captured Modbus bytes mean, RTU or TCP. Never raises, whatever the bytes.

Nothing on the wire tells a request from a response: the direction is guessed from the length, and said to be so.
"""

from __future__ import annotations

from typing import Any

from terminal.modbus import crc16

from firmware.field.finding import Finding, finding, several
from firmware.field.modbus_pdu import EXCEPTION, FUNCTIONS, KNOWN, Form, describe, forms

_RTU_BYTES_MIN = 4  # address, function, check value
_RTU_BYTES_MAX = 256  # Modbus over Serial Line V1.02, 2.5.1
_MBAP_BYTES = 7  # Modbus Messaging on TCP/IP V1.0b, 3.1.3
_MBAP_LENGTH_MAX = 254  # unit and the longest PDU, 253 bytes
_ADDRESS_MAX = 247


def explain_rtu(data: bytes) -> Finding:
    """What captured bytes of a serial line mean. {"verdict", "reason", "fields"}; several frames under "frames"."""
    return several(data, _first_rtu)


def explain_tcp(data: bytes) -> Finding:
    """What captured bytes of a Modbus TCP connection mean. {"verdict", "reason", "fields"}; several under "frames"."""
    return several(data, _first_tcp)


def _first_rtu(data: bytes, before: list[Finding]) -> tuple[Finding, int]:
    ways = forms(data[1:])
    form = _right_form(data, ways)
    if form is not None:
        size = 1 + form.size + 2
        return _whole_rtu(data[:size], form, before), size
    next_at = _next_frame(data)
    if next_at:  # what stands before it is told; the next call begins at the good one
        return _damaged_rtu(data[:next_at], before), next_at
    return _damaged_rtu(data, before), 0


def _right_form(data: bytes, ways: list[Form]) -> Form | None:
    """The way to read the frame at the beginning whose check value is right, if there is one."""
    for form in sorted(ways, key=lambda way: not way.plausible):
        size = 1 + form.size + 2
        if size <= len(data) and _crc_agrees(data[:size]):
            return form
    return None


def _next_frame(data: bytes) -> int:
    """Where the next intact frame begins behind what is none; 0: nowhere."""
    for at in range(1, len(data) - _RTU_BYTES_MIN + 1):
        ways = [way for way in forms(data[at + 1 : at + _RTU_BYTES_MAX]) if way.plausible]
        if _right_form(data[at : at + _RTU_BYTES_MAX], ways) is not None:
            return at
    return 0


def _damaged_rtu(data: bytes, before: list[Finding]) -> Finding:
    ways = forms(data[1:])
    if len(data) < _RTU_BYTES_MIN:
        return _cut_short(data, _RTU_BYTES_MIN)
    return _without_crc(data, ways, before) if ways else _unknown_rtu(data)


def _whole_rtu(frame: bytes, form: Form, before: list[Finding]) -> Finding:
    fields = {**_unit(frame[0]), **describe(frame[1:-2], form, _asked(frame[0], before)), "crc": _crc(frame)}
    if form.plausible:
        return finding("ok", "", fields)
    return finding("malformed", "bad-value: a count or value that Modbus does not allow 数量或数值不合规", fields)


def _unknown_rtu(data: bytes) -> Finding:
    fields = {**_unit(data[0]), **_unknown_function(data[1])}
    if len(data) <= _RTU_BYTES_MAX and _crc_agrees(data):
        reason = f"unknown-function: {data[1]} is not one that is read here; the check value is right 功能码不支持"
        return finding("unknown", reason, {**fields, "crc": _crc(data)})
    return _bad_crc(data, fields)


def _without_crc(data: bytes, ways: list[Form], before: list[Finding]) -> Finding:
    """No way to read it has a right check value: cut short, or damaged?"""
    plausible = [way for way in ways if way.plausible]
    longer = [way for way in plausible if 1 + way.size + 2 > len(data)]
    exact = [way for way in plausible if 1 + way.size + 2 == len(data)]
    if longer and (not exact or longer[0].sure):
        return _cut_short(data, 1 + longer[0].size + 2, longer[0].direction)
    fitting = next((way for way in [*exact, *plausible] if 1 + way.size + 2 <= len(data)), None)
    if fitting is None:
        return _bad_crc(data, {**_unit(data[0]), "function": data[1], "meaning": _function_words(data[1])})
    frame = data[: 1 + fitting.size + 2]
    return _bad_crc(frame, {**_unit(data[0]), **describe(frame[1:-2], fitting, _asked(data[0], before))})


def _bad_crc(frame: bytes, fields: dict[str, Any]) -> Finding:
    told = _crc(frame)
    reason = (
        f"crc: {told['claimed']} claimed, {told['computed']} computed over {len(frame) - 2} bytes; "
        "check wiring, termination and baud rate 校验错误，检查接线与波特率"
    )
    return finding("malformed", reason, {**fields, "crc": told})


def _cut_short(data: bytes, needed: int, as_what: str = "") -> Finding:
    way = f" as a {as_what}" if as_what else ""
    reason = f"cut-short: {len(data)} bytes, {needed} needed{way}; capture the whole frame 报文不完整"
    fields = {**_unit(data[0])} if data else {}
    if len(data) > 1:
        fields |= {"function": data[1] & ~EXCEPTION, "meaning": _function_words(data[1])}
    return finding("incomplete", reason, fields)


def _first_tcp(data: bytes, before: list[Finding]) -> tuple[Finding, int]:
    if any(data[2:4]):
        reason = f"not-modbus: protocol {data[2:4].hex()}, 0000 is Modbus; is this RTU? 协议标识不为0"
        return finding("malformed", reason, {}), 0
    if len(data) <= _MBAP_BYTES:
        return _cut_short_tcp(data, _MBAP_BYTES + 1), 0
    length = int.from_bytes(data[4:6], "big")
    if length > _MBAP_LENGTH_MAX:
        reason = f"too-long: length field {length}; at most {_MBAP_LENGTH_MAX} 长度超限"
        return finding("refused", reason, _mbap(data)), 0
    if length < 2:
        reason = f"bad-length: length field {length}; unit and function are 2 bytes at least 长度错误"
        return finding("malformed", reason, _mbap(data)), 0
    size = _MBAP_BYTES - 1 + length
    if len(data) < size:
        return _cut_short_tcp(data, size), 0
    return _whole_tcp(data[:size], before), size


def _whole_tcp(frame: bytes, before: list[Finding]) -> Finding:
    pdu = frame[_MBAP_BYTES:]
    fields = _mbap(frame)
    exact = [form for form in forms(pdu) if form.size == len(pdu)]
    if exact:
        form = next((one for one in exact if one.plausible), exact[0])
        fields |= describe(pdu, form, _asked(frame[6], before))
        if form.plausible:
            return finding("ok", "", fields)
        return finding("malformed", "bad-value: a count or value that Modbus does not allow 数量或数值不合规", fields)
    fields |= _unknown_function(pdu[0])
    if pdu[0] & ~EXCEPTION not in KNOWN:
        return finding("unknown", f"unknown-function: {pdu[0]} is not one that is read here 功能码不支持", fields)
    reason = f"bad-pdu: {len(pdu)} bytes are neither a request nor a response of function {pdu[0]} 长度与功能码不符"
    return finding("malformed", reason, fields)


def _cut_short_tcp(data: bytes, needed: int) -> Finding:
    reason = f"cut-short: {len(data)} bytes, {needed} needed; capture the whole message 报文不完整"
    return finding("incomplete", reason, _mbap(data) if len(data) >= _MBAP_BYTES else {})


def _mbap(data: bytes) -> dict[str, Any]:
    transaction, length = int.from_bytes(data[:2], "big"), int.from_bytes(data[4:6], "big")
    return {"transaction": transaction, "length": length, "unit": data[6]}


def _asked(address: int, before: list[Finding]) -> dict[str, Any] | None:
    """The fields of the frame before, when it is of the same device."""
    fields: dict[str, Any] = before[-1]["fields"] if before else {}
    return fields if fields.get("unit") == address else None


def _unit(address: int) -> dict[str, Any]:
    fields: dict[str, Any] = {"unit": address}
    if address == 0 or address > _ADDRESS_MAX:
        fields["note"] = "broadcast 广播" if address == 0 else f"reserved; 1..{_ADDRESS_MAX} are devices 保留地址"
    return fields


def _unknown_function(function: int) -> dict[str, Any]:
    return {"function": function & ~EXCEPTION, "meaning": _function_words(function)}


def _function_words(function: int) -> str:
    return FUNCTIONS.get(function & ~EXCEPTION, "not known 未知")


def _crc_agrees(frame: bytes) -> bool:
    return crc16(frame, 0, len(frame) - 2) == int.from_bytes(frame[-2:], "little")


def _crc(frame: bytes) -> dict[str, Any]:
    claimed, computed = frame[-2:].hex().upper(), crc16(frame, 0, len(frame) - 2).to_bytes(2, "little").hex().upper()
    return {"claimed": claimed, "computed": computed, "agrees": claimed == computed}
