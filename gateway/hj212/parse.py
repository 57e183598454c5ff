"""Reads one packet of HJ 212, any edition. Never raises.

Liberal: what real devices break and can still be understood is read and noted; what cannot be trusted (length,
check value, no CP) is refused.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.hj212.crc import crc_text
from gateway.hj212.packet import FLAG_SPLIT, MN_PATTERN, PW_PATTERN, SEGMENT_MAX_BYTES, Item, Segment
from gateway.hj212.times import unix_ms_of

HEAD_BYTES = 6  # ## and four digits
CRC_BYTES = 4
NOTES_MAX = 32  # what is out of rule oftener than that in one packet is said often enough
HEADER_FIELDS = ("QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO", "RF")
_CP_OPEN = re.compile(r"[;,]?\s*CP\s*=\s*&&")
_SHORT_CRC = re.compile(rb"[0-9A-Fa-f]{1,3}(?=\r)")
_FIELD_NAMES = re.compile(rf"^\s*({'|'.join(HEADER_FIELDS)})\s*=")
_LOG_TEXT = re.compile(r"//.*?//", re.DOTALL)
Note = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Extent:
    """How far the packet at the start of some bytes reaches.

    `verdict` ok: `segment_end` and `end` hold (CR LF not counted in). incomplete: at least `end` bytes are needed.
    malformed or refused: `reason` says why.
    """

    verdict: str
    end: int
    segment_end: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Received:
    """One packet as it was read.

    verdict: ok | incomplete | malformed | refused; `reason` is "" or "code: what, where". `segment` is there when ok.
    `header` holds the fields as written, `notes` what was out of rule and tolerated, as "code: text".
    """

    verdict: str
    reason: str
    raw: bytes
    segment: Segment | None = None
    header: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    crc_claimed: str = ""
    crc_computed: str = ""
    encrypted: bool = False  # it was, and `segment` is what it says


def extent(data: bytes) -> Extent:
    """Where the packet that starts `data` ends, by its length field and nothing else."""
    if not b"##".startswith(data[:2]):
        return Extent("malformed", 0, reason="no-head: a packet begins with ##")
    digits = data[2:HEAD_BYTES]
    if digits and not digits.isdigit():
        return Extent("malformed", 0, reason=f"bad-length: {digits!r} after ##; four digits are needed")
    if len(data) < HEAD_BYTES:
        return Extent("incomplete", HEAD_BYTES + CRC_BYTES, reason=f"cut-short: {len(data)} bytes")
    length = int(digits)
    if length > SEGMENT_MAX_BYTES:
        return Extent("refused", 0, reason=f"too-long: data segment of {length} bytes; at most {SEGMENT_MAX_BYTES}")
    segment_end = HEAD_BYTES + length
    tail = data[segment_end : segment_end + CRC_BYTES]
    short = _SHORT_CRC.match(tail)  # a known library does not pad its CRC with zeros
    end = segment_end + (short.end() if short else CRC_BYTES)
    if len(data) < end:
        reason = f"cut-short: the length says {end} bytes, {len(data)} are here"
        return Extent("incomplete", end, segment_end, reason)
    return Extent("ok", end, segment_end)


def parse(data: bytes) -> Received:
    """Reads `data` as one packet, with or without its CR LF; anything behind it makes it malformed."""
    span = extent(data)
    if span.verdict != "ok":
        return Received(span.verdict, span.reason, data)
    rest = data[span.end :]
    notes = [] if rest else ["no-crlf: CR LF is missing at the end"]
    if rest.strip(b"\r\n"):
        return Received("malformed", f"trailing: {len(rest)} bytes behind the packet", data)
    return read(data[: span.end], span.segment_end, notes)


def read(frame: bytes, segment_end: int, notes: list[str]) -> Received:
    """Reads a packet whose extent is known. `notes` are kept and added to."""
    segment_bytes = frame[HEAD_BYTES:segment_end]
    claimed = frame[segment_end:].decode("ascii", "backslashreplace")
    computed = crc_text(segment_bytes)

    note = note_into(notes)
    text = _text(segment_bytes, note)
    header_text, content = split_cp(text, note)
    header = read_header(header_text, note)
    if not crc_agrees(frame, segment_end):
        reason = f"crc: {claimed!r} claimed, {computed} computed over the data segment"
        return Received("malformed", reason, frame, None, header, tuple(notes), claimed, computed)
    if claimed != computed:
        note("crc-form", f"{claimed!r}; four upper-case digits are the rule")
    reason, segment = _segment(header, content, note)
    verdict = "malformed" if reason else "ok"
    return Received(verdict, reason, frame, segment, header, tuple(notes), claimed, computed)


def crc_agrees(frame: bytes, segment_end: int) -> bool:
    """Whether the check value behind the data segment is its own, in whatever form it is written."""
    claimed = frame[segment_end:].upper().rjust(CRC_BYTES, b"0")
    return claimed == crc_text(frame[HEAD_BYTES:segment_end]).encode("ascii")


def note_into(notes: list[str]) -> Note:
    """A function that adds a note to `notes`, up to NOTES_MAX."""

    def note(code: str, text: str) -> None:
        if len(notes) < NOTES_MAX:
            notes.append(f"{code}: {text}")

    return note


def split_cp(text: str, note: Note) -> tuple[str, str | None]:
    """The header's text, and CP's content between its && (None: there is no CP)."""
    opened = _CP_OPEN.search(text)
    if opened is None:
        return text, None
    if opened[0] != ";CP=&&":
        note("cp-open", f"{opened[0]!r} where ';CP=&&' belongs")
    closed = text.rfind("&&", opened.end())
    if closed < 0:
        return text[: opened.start()], None
    if text[closed + 2 :]:
        note("cp-trailing", f"{text[closed + 2 :]!r} behind CP's closing &&")
    return text[: opened.start()], text[opened.end() : closed]


def read_header(text: str, note: Note) -> dict[str, str]:
    """The header's fields as written, in their order. The first of a repeated field counts."""
    header: dict[str, str] = {}
    for part in (piece for between in text.split(";") for piece in _comma_pieces(between, note)):
        name, equals, value = (written.strip() for written in part.partition("="))
        if f"{name}{equals}{value}" != part:
            note("header-blank", f"blanks in {part!r}")
        if not equals:
            note("header-text", f"{part!r} in the header is no name=value")
        elif name in header:
            note("header-twice", f"{name} stands twice; {header[name]!r} counts, {value!r} does not")
        else:
            header[name] = value
            if name not in HEADER_FIELDS:
                note("header-unknown", f"{name}={value} is no header field")
    return header


def _comma_pieces(part: str, note: Note) -> list[str]:
    pieces = part.split(",")
    if len(pieces) == 1 or not all(_FIELD_NAMES.match(piece) for piece in pieces):
        return [part]
    note("header-comma", f"',' where ';' belongs in {part!r}")
    return pieces


def _text(data: bytes, note: Note) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        note("not-text", "bytes that are neither UTF-8 nor GB 18030 (encrypted?)")
        return data.decode("ascii", "backslashreplace")
    note("not-utf8", "text in GB 18030; UTF-8 is the rule")
    return text


def _segment(header: dict[str, str], content: str | None, note: Note) -> tuple[str, Segment | None]:
    if content is None:
        return "no-cp: no CP=&&...&& in the data segment", None
    if "CN" not in header:
        return "no-cn: the header names no command (CN)", None
    for name in ("QN", "ST", "PW", "MN", "Flag"):
        if name not in header:
            note("header-missing", f"no {name}")
    _note_forms(header, note)
    flag = _number(header, "Flag", 255, note)
    pnum, pno = _number(header, "PNUM", 9999, note), _number(header, "PNO", 9999, note)
    if bool((flag or 0) & FLAG_SPLIT) != (pnum is not None and pno is not None):
        note("split-flag", "Flag's bit D and PNUM with PNO do not agree")
    if "RF" in header and (flag or 0) >> 2 != 2:
        note("rf", "RF belongs to the 2025 edition")
    qn, st, cn, pw, mn = (header.get(name, "") for name in ("QN", "ST", "CN", "PW", "MN"))
    rf = _number(header, "RF", 9, note)
    return "", Segment(qn, st, cn, pw, mn, flag, read_cp(content, note), pnum, pno, rf)


def _note_forms(header: dict[str, str], note: Note) -> None:
    if "QN" in header and unix_ms_of(header["QN"]) is None:
        note("qn-form", f"{header['QN']!r}; YYYYMMDDhhmmsszzz is the rule")
    if "MN" in header and not MN_PATTERN.fullmatch(header["MN"]):
        note("mn-form", f"{header['MN']!r}; 24 characters 0-9 A-F are the rule")
    if "PW" in header and not PW_PATTERN.fullmatch(header["PW"]):
        note("pw-form", f"password of {len(header['PW'])} characters; 6 are the rule")
    for name, digits in (("ST", 2), ("CN", 4)):
        value = header.get(name, "0" * digits)
        if len(value) != digits or not value.isascii() or not value.isdigit():
            note(f"{name.lower()}-form", f"{value!r}; {digits} digits are the rule")


def _number(header: dict[str, str], name: str, most: int, note: Note) -> int | None:
    value = header.get(name)
    if value is None:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > 4 or int(value) > most:
        note(f"{name.lower()}-form", f"{value!r}; a number 0..{most} is the rule, read as absent")
        return None
    return int(value)


def read_cp(content: str, note: Note) -> tuple[Item, ...]:
    """The items of CP. ; and , inside log text (//...//) are text."""
    if content != content.strip():
        note("cp-blank", "blanks next to && ")
    items = []
    codes: set[str] = set()
    for part in _cut(content.strip(), ";") if content.strip() else []:
        if not part.strip():
            note("cp-empty-item", "an empty item")
            continue
        item = tuple(_attribute(text, note) for text in _cut(part, ","))
        item = _mend_names(item, note)
        for code in dict.fromkeys(name.partition("-")[0] for name, _ in item):
            if code in codes:
                note("cp-twice", f"{code} stands in more than one item")
            codes.add(code)
        items.append(item)
    return tuple(items)


def _cut(text: str, separator: str) -> list[str]:
    hidden = _LOG_TEXT.sub(lambda found: "\0" * len(found[0]), text)
    places = [-1, *(at for at, char in enumerate(hidden) if char == separator), len(text)]
    return [text[before + 1 : after] for before, after in itertools.pairwise(places)]


def _attribute(text: str, note: Note) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        note("cp-no-value", f"{text!r} is no name=value")
    if name != name.strip() or value != value.strip():
        note("cp-blank", f"blanks in {text!r}")
    return name.strip(), value.strip()


def _mend_names(item: Item, note: Note) -> Item:
    first = item[0][0].partition("-")[0]
    mended = []
    for name, value in item:
        code, dash, suffix = name.partition("-")
        if code != first and dash and code == first[1:]:
            note("cp-name", f"{name} read as {first}-{suffix}: its first letter is missing")
            mended.append((f"{first}-{suffix}", value))
            continue
        if code != first:
            note("cp-comma", f"',' where ';' belongs before {name}")
        mended.append((name, value))
    return tuple(mended)
