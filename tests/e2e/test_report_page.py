"""A commissioning report on paper: Chromium's own print of it."""

import re
from pathlib import Path

import pytest

from firmware.field.record import page
from tests.e2e.console.browser import chromium
from tests.firmware.field.record.reports import DIGEST, report

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.untimed]

PRINTABLE_PX = round(186 / 25.4 * 96)  # A4 without the page's margins


def test_it_prints_to_one_sheet_of_a4_with_one_point_or_with_all_that_a_terminal_may_have(tmp_path: Path) -> None:
    """P-309: with long names, every finding and photos; nothing runs out at the side."""
    with chromium() as browser:
        shown = browser.new_page(viewport={"width": PRINTABLE_PX, "height": 1000})
        shown.emulate_media(media="print")
        for points in (1, 3, 19, 32):
            file = tmp_path / f"{points}.html"
            file.write_text(page.html(report(points), DIGEST), encoding="utf-8")
            shown.goto(file.as_uri())
            assert shown.evaluate("document.documentElement.scrollWidth") <= PRINTABLE_PX, points
            printed = shown.pdf(prefer_css_page_size=True)
            assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1, points
            assert re.search(rb"/MediaBox\s*\[0 0 59[45](\.\d+)? 84[12](\.\d+)?\]", printed)  # A4, in points
