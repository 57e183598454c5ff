"""A label for the cabinet: a QR code and a few lines, as SVG in millimetres and as a printer's black dots.

What stands on it is no secret: whoever reads the label learns which terminal this is and which report belongs to it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, NamedTuple

import segno
from PIL import Image, ImageDraw, ImageFont

MM_PER_INCH = 25.4
DPI = 203  # of most label printers; better ones have 300
_MARGIN_MM = 1.5  # printers don't print up to the edge
_QUIET = 4  # white modules on each side of a QR code (ISO/IEC 18004, 9.1)
_LINE_SHARE = 0.62  # of a line's height that its letters take
_LETTER_SHARE = 0.7  # a letter's width by its height, on average at most, whatever font the printer's computer has
_SHARES = (1.8, 1.0, 1.0, 1.0, 1.0)  # lines' heights: the terminal's id is read from a ladder
_UID_CHARS_MAX = 16  # of a chip; the RP2350 has 16, the ESP32 12
_FONT_DOTS_MIN = 6  # smaller letters are blots


class Size(NamedTuple):
    """Of the label, in millimetres."""

    width: float = 50.0
    height: float = 30.0


def of_report(body: Mapping[str, Any], digest: str) -> dict[str, str]:
    """What of a report stands on its label. Raises KeyError, TypeError for what is no report."""
    return {
        "terminal": body["terminal"],
        "enterprise": body["enterprise"]["id"],
        "uid": body["board"]["uid"][:_UID_CHARS_MAX],
        "ended": body["ended"],
        "digest": digest,
    }


def text(body: dict[str, str]) -> str:
    """What the QR code says: WATTLINE/1/terminal/enterprise/board/report's digest, its first 16 hex digits.

    Upper case where it may be: a code of capitals has larger modules.
    """
    return "/".join(
        ("WATTLINE", "1", body["terminal"], body["enterprise"], body["uid"].upper(), body["digest"][:16].upper())
    )


def lines(body: dict[str, str]) -> list[str]:
    """What people read, the largest first."""
    return [body["terminal"], body["enterprise"], f"id {body['uid']}", body["ended"][:10], body["digest"][:16].upper()]


def svg(body: dict[str, str], size: Size = Size()) -> str:
    """The label, to scale."""
    modules = _modules(body)
    side, module = _code_side(size), _code_side(size) / (len(modules) + 2 * _QUIET)
    left, top = _QUIET * module, (size.height - len(modules) * module) / 2
    squares = "".join(
        f"M{left + x * module:.3f} {top + y * module:.3f}h{module:.3f}v{module:.3f}h-{module:.3f}z"
        for y, row in enumerate(modules)
        for x, dark in enumerate(row)
        if dark
    )
    written = "".join(
        f'<text x="{side:g}" y="{y:.2f}" font-size="{height:.2f}">{escape(one)}</text>'
        for one, y, height in _lines(body, size)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size.width:g}mm" height="{size.height:g}mm" '
        f'viewBox="0 0 {size.width:g} {size.height:g}"><rect width="100%" height="100%" fill="#fff"/>'
        f'<path d="{squares}"/><g font-family="Arial, Helvetica, sans-serif">{written}</g></svg>\n'
    )


def png(body: dict[str, str], size: Size = Size(), dpi: int = DPI) -> bytes:
    """The label as dots, black on white, with its resolution. A module of the code is a whole number of dots."""
    dots, modules = dpi / MM_PER_INCH, _modules(body)
    module = max(1, int(_code_side(size) * dots / (len(modules) + 2 * _QUIET)))
    picture = Image.new("1", (round(size.width * dots), round(size.height * dots)), 1)
    draw = ImageDraw.Draw(picture)
    left, top = _QUIET * module, (picture.height - module * len(modules)) // 2
    for y, row in enumerate(modules):
        for x, dark in enumerate(row):
            if dark:
                at = (left + x * module, top + y * module)
                draw.rectangle((*at, at[0] + module - 1, at[1] + module - 1), fill=0)
    for one, y_mm, height in _lines(body, size):
        font = ImageFont.load_default(max(_FONT_DOTS_MIN, int(height * dots)))
        draw.text((round(_code_side(size) * dots), round(y_mm * dots)), one, fill=0, font=font, anchor="ls")
    out = io.BytesIO()
    picture.save(out, "PNG", dpi=(dpi, dpi))
    return out.getvalue()


def _modules(body: dict[str, str]) -> list[list[int]]:
    return [list(row) for row in segno.make(text(body), error="m", micro=False).matrix_iter(border=0)]


def _code_side(size: Size) -> float:
    """Of the code with its white border: the left half of the label at most. The text begins there."""
    return min(size.height, size.width / 2)


def _lines(body: dict[str, str], size: Size) -> Iterator[tuple[str, float, float]]:
    """(text, its baseline, the font's size) of each line, in millimetres; none is wider than the label."""
    width = size.width - _code_side(size) - _MARGIN_MM
    unit = (size.height - 2 * _MARGIN_MM) / sum(_SHARES)
    bottom = _MARGIN_MM
    for one, share in zip(lines(body), _SHARES, strict=True):
        bottom += share * unit
        height = min(share * unit * _LINE_SHARE, width / (len(one) * _LETTER_SHARE))
        yield one, bottom - share * unit * (1 - _LINE_SHARE) / 2, height
