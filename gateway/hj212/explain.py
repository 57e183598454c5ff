"""Says in words what captured HJ 212 bytes mean, editions 2005, 2017, 2025. Never raises, shows no password."""

from __future__ import annotations

from gateway.hj212 import words
from gateway.hj212.packet import CP_MAX_BYTES, FLAG_ACK, FLAG_SPLIT, SEGMENT_MAX_BYTES, Item, Segment, cp_text
from gateway.hj212.parse import HEAD_BYTES, Received, crc_agrees, extent, note_into, read, read_header, split_cp
from gateway.hj212.times import unix_ms_of, unix_s_of

_PACKETS_MAX = 64  # of one input line; a capture line with more is cut and says so
_NEXT_STEP = {
    "no-head": "start the capture at ## 从##开始抓包",
    "bad-length": "the packet is damaged 报文损坏",
    "cut-short": "the rest of the packet is missing 报文不完整",
    "too-long": "the sender must split it 发送方应分包",
    "crc": "the packet is damaged, or the sender uses another CRC 报文损坏或校验算法不同",
    "no-cp": "the data segment is damaged 数据段损坏",
    "no-cn": "the command is missing 缺少命令编码",
    "encrypted": "the key is needed to read it 需要密钥才能解读",
    "unknown-cn": "see the platform's own document 见平台自定义说明",
    "unknown-edition": "a newer edition, or a damaged Flag 版本未知或Flag损坏",
    "empty": "nothing was given 没有数据",
}


def explain(data: bytes) -> dict[str, object]:
    """What `data` says. {"verdict": ok|incomplete|malformed|unknown|refused, "reason": str, "fields": {...}}.

    `fields` are those of the packet; of several packets the first one's, with all of them under "packets".
    """
    if not data.strip():
        return _answer("incomplete", "empty: no bytes", {})
    at = data.find(b"##")
    notes = [f"leading: {at} bytes before ## 报文头前有多余字节"] if at > 0 else []
    rest = data[max(at, 0) :]
    found: list[dict[str, object]] = []
    while rest.strip(b"\r\n") and len(found) < _PACKETS_MAX:
        one, rest = _first(rest, notes)
        found.append(one)
        notes = []
    worst = next((one for one in found if one["verdict"] != "ok"), found[0])
    if len(found) == 1:
        return found[0]
    fields = {**_fields(found[0]), "packets": found}
    return {"verdict": worst["verdict"], "reason": worst["reason"], "fields": fields}


def _fields(one: dict[str, object]) -> dict[str, object]:
    fields = one["fields"]
    return dict(fields) if isinstance(fields, dict) else {}


def _first(data: bytes, notes: list[str]) -> tuple[dict[str, object], bytes]:
    """The first packet in words, and the bytes behind it."""
    span = extent(data)
    if span.verdict != "ok":
        return _broken(span.verdict, span.reason, data, notes), b""
    rest = data[span.end :]
    if not rest.startswith(b"\r\n"):
        notes = [*notes, "no-crlf: CR LF is missing at the end 缺少包尾"]
    packet = read(data[: span.end], span.segment_end, notes)
    return _whole(packet, span.segment_end - HEAD_BYTES), rest.lstrip(b"\r\n")


def _broken(verdict: str, reason: str, data: bytes, notes: list[str]) -> dict[str, object]:
    """A packet that cannot be cut out: what its beginning says all the same."""
    notes = list(notes)
    note = note_into(notes)
    segment = data[HEAD_BYTES : HEAD_BYTES + SEGMENT_MAX_BYTES] if data.startswith(b"##") else b""
    text = segment.decode("utf-8", "backslashreplace")
    header_text, _ = split_cp(text, note)
    header = read_header(header_text, note) if header_text else {}
    length = data[2:HEAD_BYTES].decode("ascii", "backslashreplace")
    fields: dict[str, object] = {"length": int(length) if length.isdigit() else length, **_header(header)}
    return _answer(verdict, reason, {**fields, "notes": notes})


def _whole(packet: Received, length: int) -> dict[str, object]:
    notes = list(packet.notes)
    fields: dict[str, object] = {"length": length, **_header(packet.header)}
    verdict, reason = packet.verdict, packet.reason
    if packet.segment is None and _looks_encrypted(packet):
        verdict = "unknown"
        reason = "encrypted: CP looks encrypted (2025 edition, SM4); its check value is over the plain text 疑似加密"
    if packet.segment is not None:
        fields["CP"] = [_item(item) for item in packet.segment.cp]
        notes += _limits(packet.segment)
        verdict, reason = _known(packet.segment)
    agrees = crc_agrees(packet.raw, length + HEAD_BYTES)
    fields["crc"] = {"claimed": packet.crc_claimed, "computed": packet.crc_computed, "agrees": agrees}
    return _answer(verdict, reason, {**fields, "notes": notes})


def _known(segment: Segment) -> tuple[str, str]:
    if segment.edition not in words.EDITIONS:
        return "unknown", f"unknown-edition: Flag {segment.flag} names edition {segment.edition}; 0, 1 and 2 are in use"
    if segment.cn not in words.COMMANDS:
        return "unknown", f"unknown-cn: command {segment.cn} is in no edition known here"
    return "ok", ""


def _limits(segment: Segment) -> list[str]:
    size = len(cp_text(segment.cp).encode("utf-8"))
    return [f"cp-long: CP of {size} bytes; {CP_MAX_BYTES} are the rule"] if size > CP_MAX_BYTES else []


def _looks_encrypted(packet: Received) -> bool:
    """Only a 2025 packet can be, and only where its CP is no text, or the printed list that some senders use."""
    flag = packet.header.get("Flag", "")
    if not (flag.isascii() and flag.isdigit() and len(flag) <= 3 and int(flag) >> 2 == 2):
        return False
    start = packet.raw.find(b"CP=&&") + len(b"CP=&&")
    content = packet.raw[start:]
    return content.startswith(b"{0x") or any(byte < 0x20 or byte == 0x7F for byte in content) or not _is_utf8(content)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _header(header: dict[str, str]) -> dict[str, object]:
    flag = header.get("Flag", "")
    number = int(flag) if flag.isascii() and flag.isdigit() and len(flag) <= 3 else 0
    edition = words.EDITIONS.get(number >> 2, f"unknown ({number >> 2})")
    fields: dict[str, object] = {"edition": edition} if header else {}
    for name, value in header.items():
        fields[name] = _header_field(name, value, number)
    return fields


def _header_field(name: str, value: str, flag: int) -> object:
    if name == "QN":
        return {"value": value, "time": _moment(value)}
    if name == "ST":
        return {"value": value, "meaning": words.SYSTEMS.get(value, "not known 未知")}
    if name == "CN":
        return {"value": value, "meaning": words.COMMANDS.get(value, "not known 未知")}
    if name == "PW":
        return f"({len(value)} characters, not shown 不显示)"
    if name == "Flag":
        bits = {"answer_wanted": bool(flag & FLAG_ACK), "split": bool(flag & FLAG_SPLIT), "version": flag >> 2}
        return {"value": value, **bits}
    if name == "RF":
        return {"value": value, "meaning": "re-sent or back-filled (2025) 补传"}
    return value


def _moment(text: str) -> str:
    """A Beijing time written to be read, or "" when it is none."""
    known = unix_ms_of(text) if len(text) == 17 else unix_s_of(text)
    if known is None:
        return ""
    written = f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[8:10]}:{text[10:12]}:{text[12:14]}"
    return f"{written}{'.' + text[14:] if len(text) == 17 else ''} +08:00"


def _item(item: Item) -> dict[str, object]:
    code = item[0][0].partition("-")[0]
    return {"code": code, "meaning": words.code_words(code), "attributes": [_attribute(*pair) for pair in item]}


def _attribute(name: str, value: str) -> dict[str, str]:
    code, _, suffix = name.partition("-")
    if code in ("NewPW", "NewSK"):
        return {"name": name, "value": "(not shown 不显示)"}
    told = {"name": name, "value": value}
    if suffix:
        told["attribute"] = words.ATTRIBUTES.get(suffix, "not known 未知")
    table = _VALUE_TABLES.get(suffix or code)
    meaning = table.get(value, "not known 未知") if table else _moment(value)
    return {**told, "meaning": meaning} if meaning else told


_VALUE_TABLES = {
    "Flag": words.DATA_FLAGS,
    "RS": words.RUN_STATES,
    "QnRtn": words.REQUEST_RESULTS,
    "ExeRtn": words.EXECUTION_RESULTS,
}


def _answer(verdict: str, reason: str, fields: dict[str, object]) -> dict[str, object]:
    next_step = _NEXT_STEP.get(reason.partition(":")[0], "")
    return {"verdict": verdict, "reason": f"{reason}; {next_step}" if next_step else reason, "fields": fields}
