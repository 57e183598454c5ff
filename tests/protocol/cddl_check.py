"""Holds items against wattline.cddl: lines "rule hex" in, "ok" or "no: why" out. Run by zcbor's own interpreter.

`build/zcbor/bin/python cddl_check.py SCHEMA < LINES`
"""

import contextlib
import io
import sys
from pathlib import Path

from zcbor import DataTranslator  # type: ignore[import-not-found]
from zcbor.zcbor.zcbor import PRELUDE_PATH  # type: ignore[import-not-found]

ITEMS_MAX = 64  # of an array whose rule gives no maximum; ours all do


def main() -> None:
    """See above."""
    schema = PRELUDE_PATH.read_text(encoding="utf-8") + "\n" + Path(sys.argv[1]).read_text(encoding="utf-8")
    types = DataTranslator.from_cddl(schema, ITEMS_MAX).my_types
    for line in sys.stdin:
        rule, data = line.split()
        print(verdict(types[rule], bytes.fromhex(data)))


def verdict(rule: DataTranslator, data: bytes) -> str:
    """What the rule says about the item."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # zcbor prints what it did not like, over several lines
            rule.validate_str(data)
    except Exception as error:  # noqa: BLE001 - zcbor's own, cbor2's several kinds, and TypeErrors from wrong shapes
        return f"no: {type(error).__name__} {' '.join(str(error).split())[:200]}"
    return "ok"


main()
