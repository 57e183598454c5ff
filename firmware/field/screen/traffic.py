"""A question and its answer on the bus, in a line each: the bytes, and what they mean."""

from __future__ import annotations

from rich.text import Text

from firmware.field.bus import traffic
from firmware.field.finding import Finding
from firmware.field.screen.words import Language

_HEX_BYTES = 12  # of a frame; the rest is in a capture


def lines(one: traffic.Exchange, language: Language) -> list[Text]:
    """What was asked, and what came."""
    read = one.question.read
    asked = f"{one.question.address} " + (f"{read.first:04X}+{read.count}" if read.count else f"{read.first:08X}")
    if not one.heard.heard:
        return [Text.assemble((f"> {asked}  ", "cyan"), _hex(one.sent)), Text("< -", "yellow")]
    finding = traffic.explained(one)
    style = "green" if finding["verdict"] == "ok" else "red"
    return [
        Text.assemble((f"> {asked}  ", "cyan"), _hex(one.sent)),
        Text.assemble((f"< {meaning(finding, language)}  ", style), _hex(one.heard.heard)),
    ]


def meaning(finding: Finding, language: Language) -> str:
    """What an answer says, short."""
    if finding["verdict"] != "ok":
        return _told(str(finding["reason"] or finding["verdict"]).split(";", maxsplit=1)[0], language)
    fields = finding["fields"]
    if "exception" in fields:
        return f"{fields['exception']['code']}: {_told(fields['exception']['meaning'], language)}"
    if "registers" in fields:
        return f"{fields['data_bytes']} B {_told(fields['meaning'], language)}"
    name = _told(str(fields.get("name") or fields.get("meaning") or fields.get("function") or "ok"), language)
    if "values" in fields:
        return f"{name} {' '.join(map(str, fields['values'].values()))} {fields.get('unit', '')}".rstrip()
    return name


def _told(text: str, language: Language) -> str:
    """The part of an explainer's text that is in this language: English first, then Chinese."""
    at = next((at for at, char in enumerate(text) if "\u4e00" <= char <= "\u9fff"), len(text))
    parts = (text[:at].strip(), text[at:].strip())
    return parts[0 if language == "en" else 1] or text


def _hex(data: bytes) -> tuple[str, str]:
    more = " …" if len(data) > _HEX_BYTES else ""
    return data[:_HEX_BYTES].hex(" ").upper() + more, "bright_black"
