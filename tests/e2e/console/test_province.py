"""The list of a province's terminals in the real browser."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.console import house, province
from tests.e2e.console.browser import chromium, go, visit

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.untimed]
ROWS_MAX = 60  # in the document: a screen of them, and some to spare
SILENT = -(-province.TERMINALS // 100)


def test_of_7056_terminals_only_those_in_sight_are_in_the_document(tmp_path: Path) -> None:
    """P-322: silent ones first; any of them is found by search, sorted to the top, scrolled to."""
    config = house.files(tmp_path / "plant")
    province.fill(config.parent)
    with house.console(config) as address, chromium() as browser, visit(browser, address, "vera") as page:
        go(page, "fleet")
        rows = page.locator(".rows a")
        expect(page.get_by_role("table").first).to_have_attribute("aria-rowcount", str(province.TERMINALS + 2))
        assert rows.count() < ROWS_MAX
        page.get_by_label("Only those with a problem").check()
        expect(page.get_by_role("status").first).to_contain_text(f"{SILENT + 1} of 7,057")
        expect(rows.first).to_contain_text("Never heard")
        expect(rows.nth(1)).to_contain_text("Silent")
        page.get_by_label("Only those with a problem").uncheck()
        page.get_by_role("button", name="Terminal", exact=True).click()
        page.locator(".rows").evaluate("rows => { rows.scrollTop = rows.scrollHeight }")
        expect(page.get_by_text("T0001", exact=True)).to_be_visible()
        assert rows.count() < ROWS_MAX
        page.get_by_role("searchbox").fill("P06999")
        expect(rows).to_have_count(1)
