"""What a rule says: something is wrong in a span of time."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Finding(NamedTuple):
    """Something wrong in [from_s, to_s).

    kind: words.py says what each means. facts: integers by a name that ends with the unit; powers (`_w`) are means of
    the span.
    """

    kind: str
    from_s: int
    to_s: int
    facts: Mapping[str, int] = MappingProxyType({})
