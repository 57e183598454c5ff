"""HTML and SVG by construction: whatever is put into an element is escaped, unless it was made here."""

import re
from html import escape

_NOT_IN_HTML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element. Attributes: `class_`, `data_x` for data-x; None is none. What is no Markup is text, and escaped."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name == "meta":  # nothing stands in it
        return Markup(f"<{name}{shown}>")
    return Markup(f"<{name}{shown}>{join(*children)}</{name}>")


def join(*children: object) -> Markup:
    """One after the other; None is nothing."""
    return Markup(
        "".join(child if isinstance(child, Markup) else text(child) for child in children if child is not None)
    )


def both(english: str, chinese: str) -> Markup:
    """A text in both languages."""
    return join(english, " ", tag("span", chinese, lang="zh", class_="zh")) if chinese != english else text(english)


def text(value: object) -> Markup:
    """A value as text: escaped, and without characters that HTML does not have."""
    return Markup(escape(visible(value)))


def visible(value: object) -> str:
    """A value without the characters that neither HTML nor XML has."""
    return _NOT_IN_HTML.sub("\ufffd", str(value))
