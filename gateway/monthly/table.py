"""The month as CSV, for a spreadsheet: a row a point, then a row a linkage. No I/O."""

import csv
import io

from gateway.monthly.account import UNPLACED, Month

BOM = "\ufeff"  # Excel takes a CSV without it for the machine's old code page, and Chinese names with it
_POINT = ("total_wh", "register_steps", "left_out_wh")
_LINKAGE = (
    "production_h",
    "treatment_h",
    "linkage_rate",
    "unused_days",
    "switched_off",
    "production_wh",
    "treatment_wh",
)


def table(month: Month) -> str:
    """The file's text. What a formula begins with is written as text."""
    periods = [*month.tariff.periods, UNPLACED]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["point", "name", "kind", "completeness", *(f"{one}_wh" for one in periods), *_POINT])
    for one in month.points:
        energies = [one.energy_wh.get(name, 0) if one.has_register else "" for name in periods]
        total = [one.total_wh, one.steps, one.left_out_wh] if one.has_register else [""] * len(_POINT)
        names = (_plain(str(one.point)), _plain(one.name), one.kind)
        writer.writerow([*names, round(one.completeness, 4), *energies, *total])
    writer.writerow([])
    writer.writerow(["linkage", *_LINKAGE])
    for each in month.linkages:
        values = each.whole._asdict()
        writer.writerow([_plain(each.linkage.name), *("" if (v := values[name]) is None else v for name in _LINKAGE)])
    return BOM + out.getvalue()


def _plain(text: str) -> str:
    return f"'{text}" if text[:1] in "=+-@\t\r" else text
