"""The part of a Modbus message that RTU and TCP share: function code and data (Modbus Application Protocol V1.1b3)."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

READ_BITS = (1, 2)
READ_REGISTERS = (3, 4)
WRITE_ONE = (5, 6)
WRITE_MANY = (15, 16)
KNOWN = (*READ_BITS, *READ_REGISTERS, *WRITE_ONE, *WRITE_MANY)
EXCEPTION = 0x80

FUNCTIONS = {
    1: "read coils 读线圈",
    2: "read discrete inputs 读离散输入",
    3: "read holding registers 读保持寄存器",
    4: "read input registers 读输入寄存器",
    5: "write one coil 写单个线圈",
    6: "write one register 写单个寄存器",
    7: "read exception status 读异常状态",
    8: "diagnostics 诊断",
    11: "get event counter 读事件计数",
    12: "get event log 读事件记录",
    15: "write several coils 写多个线圈",
    16: "write several registers 写多个寄存器",
    17: "report server id 读从站标识",
    20: "read file record 读文件记录",
    21: "write file record 写文件记录",
    22: "mask write register 屏蔽写寄存器",
    23: "read and write registers 读写多个寄存器",
    24: "read FIFO queue 读FIFO",
    43: "encapsulated transport, device id 读设备标识",
}

EXCEPTIONS = {
    1: "function not offered 非法功能码",
    2: "address not offered 非法数据地址",
    3: "value not allowed 非法数据值",
    4: "device failure 从站故障",
    5: "accepted, takes long 已确认，处理中",
    6: "busy 从站忙",
    8: "memory parity error 存储奇偶校验错",
    10: "gateway: no path 网关路径不可用",
    11: "gateway: target did not answer 网关目标无响应",
}

# Modbus Application Protocol V1.1b3, 6.1 to 6.12: the most that one message may ask for
_QUANTITY_MAX = {1: 2000, 2: 2000, 3: 125, 4: 125, 15: 1968, 16: 123}


@dataclass(frozen=True, slots=True)
class Form:
    """One way to read a PDU: its direction, its size in bytes as far as known, and whether its values are allowed."""

    direction: str  # request | response | exception
    size: int  # of the whole PDU; as far as known while it is cut short
    plausible: bool
    sure: bool = False  # two of its values confirm each other


def forms(pdu: bytes) -> list[Form]:
    """The ways in which `pdu` (which may be cut short, or have more behind it) can be read; [] = function not known."""
    function = pdu[0] if pdu else 0
    if function & EXCEPTION:
        return [Form("exception", 2, plausible=len(pdu) < 2 or pdu[1] in EXCEPTIONS)]
    if function in WRITE_ONE:
        allowed = function == 6 or len(pdu) < 5 or pdu[3:5] in (b"\x00\x00", b"\xff\x00")
        return [Form("request", 5, allowed)]
    if function in (*READ_BITS, *READ_REGISTERS):
        return [Form("request", 5, _quantity_allowed(pdu)), _read_response(pdu)]
    if function in WRITE_MANY:
        return [_write_request(pdu), Form("response", 5, _quantity_allowed(pdu))]
    return []


def _quantity_allowed(pdu: bytes) -> bool:
    return len(pdu) < 5 or 1 <= _word(pdu, 3) <= _QUANTITY_MAX[pdu[0]]


def _read_response(pdu: bytes) -> Form:
    if len(pdu) < 2:
        return Form("response", 3, plausible=True)
    count = pdu[1]
    allowed = 1 <= count <= 250 and (pdu[0] in READ_BITS or count % 2 == 0)
    return Form("response", 2 + count, allowed)


def _write_request(pdu: bytes) -> Form:
    if len(pdu) < 6:
        return Form("request", 8, _quantity_allowed(pdu))
    quantity = _word(pdu, 3)
    agree = pdu[5] == (quantity * 2 if pdu[0] == 16 else (quantity + 7) // 8)
    return Form("request", 6 + pdu[5], agree and _quantity_allowed(pdu), agree)


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


def describe(pdu: bytes, form: Form, asked: dict[str, Any] | None) -> dict[str, Any]:
    """A whole PDU in words. `asked` are the fields of the request that it may answer (None: not seen)."""
    function = pdu[0] & ~EXCEPTION
    fields: dict[str, Any] = {
        "function": function,
        "meaning": FUNCTIONS.get(function, "not known 未知"),
        "direction": _direction(function, form),
    }
    if function in (*WRITE_ONE, *WRITE_MANY):
        what = "WRITE COMMAND: changes the device 写命令" if form.direction == "request" else "answer to a write 写应答"
        fields["write"] = what
    if form.direction == "exception":
        code = pdu[1]
        return {**fields, "exception": {"code": code, "meaning": EXCEPTIONS.get(code, "not known 未知")}}
    if form.direction == "response" and function in READ_BITS:
        return {**fields, "data_bytes": pdu[1], "bits": _bits(pdu[2:])}
    if form.direction == "response" and function in READ_REGISTERS:
        return {**fields, "data_bytes": pdu[1], **_registers(pdu[2:], _first_address(pdu, asked))}
    fields["address"] = {"value": _word(pdu, 1), "hex": f"{_word(pdu, 1):04X}"}
    return {**fields, **_request_values(pdu, form)}


def _direction(function: int, form: Form) -> str:
    if form.direction == "exception":
        return "response: an exception 异常应答"
    if function in WRITE_ONE:
        return "request or its echo: both are the same bytes (guessed) 请求或其回显"
    return f"{form.direction} (guessed from the length) {'请求' if form.direction == 'request' else '应答'}"


def _request_values(pdu: bytes, form: Form) -> dict[str, Any]:
    if pdu[0] == 5:
        return {"value": "on" if pdu[3:5] == b"\xff\x00" else "off" if pdu[3:5] == b"\x00\x00" else pdu[3:5].hex()}
    if pdu[0] == 6:
        return _registers(pdu[3:5], _word(pdu, 1))
    fields: dict[str, Any] = {"quantity": _word(pdu, 3)}
    if form.direction == "request" and pdu[0] == 15:
        fields["bits"] = _bits(pdu[6:])[: _word(pdu, 3)]
    if form.direction == "request" and pdu[0] == 16:
        fields.update(_registers(pdu[6:], _word(pdu, 1)))
    return fields


def _first_address(pdu: bytes, asked: dict[str, Any] | None) -> int | None:
    """The address of the first register, when the request before asked for exactly so many."""
    if not asked or asked.get("function") != pdu[0] or asked.get("quantity", 0) * 2 != pdu[1]:
        return None
    first: int = asked["address"]["value"]
    return first


def _bits(data: bytes) -> list[int]:
    return [byte >> bit & 1 for byte in data for bit in range(8)]


def _registers(data: bytes, first: int | None) -> dict[str, Any]:
    words = [data[at : at + 2] for at in range(0, len(data) - 1, 2)]
    registers = []
    for number, word in enumerate(words):
        address = {"address": f"{(first + number) & 0xFFFF:04X}"} if first is not None else {"offset": number}
        unsigned, signed = int.from_bytes(word, "big"), int.from_bytes(word, "big", signed=True)
        registers.append({**address, "hex": word.hex().upper(), "uint16": unsigned, "int16": signed})
    floats = [_float(words[at] + words[at + 1]) for at in range(0, len(words) - 1, 2)]
    fields: dict[str, Any] = {"registers": registers}
    if len(words) % 2 == 0 and words:
        fields["float32_ABCD_guess"] = floats
    return fields


def _float(data: bytes) -> float | str:
    (value,) = struct.unpack(">f", data)
    return float(f"{value:.7g}") if math.isfinite(value) else str(value)
