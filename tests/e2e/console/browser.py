"""Debian's Chromium, driven by playwright; what it complains about is kept."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.e2e.console.house import PASSWORD

DESKTOP = (1280, 800)
PHONE = (390, 844)
TIMEOUT_MS = 15_000
_REFUSED = "Failed to load resource"  # Chromium's line for every answer of 400 and above: tests cause some on purpose


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's browser, without a window."""
    program = shutil.which("chromium")
    assert program, "no chromium: run `make setup`"
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"] if is_root else [])
        yield browser
        browser.close()


@contextmanager
def visit(
    browser: Browser,
    address: str,
    who: str,
    size: tuple[int, int] = DESKTOP,
    locale: str = "en-GB",
    theme: str = "light",
) -> Iterator[Page]:
    """A browser of its own, logged in; at the end nothing was complained about."""
    width, height = size
    context = browser.new_context(
        locale=locale, viewport={"width": width, "height": height}, color_scheme="dark" if theme == "dark" else "light"
    )
    context.set_default_timeout(TIMEOUT_MS)
    page, wrong = context.new_page(), list[str]()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.extend(_complaint(message)))
    page.goto(address)
    page.locator("#name").fill(who)
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("nav a").first.wait_for()
    yield page
    context.close()
    assert wrong == []


def go(page: Page, place: str) -> None:
    """Open #/PLACE, and wait until it is there."""
    page.evaluate("place => { location.hash = place }", f"#/{place}")
    page.locator("#main:not([aria-busy]) h1").wait_for()


def _complaint(message: ConsoleMessage) -> list[str]:
    is_usual = message.type not in {"error", "warning"} or _REFUSED in message.text
    return [] if is_usual else [f"{message.type}: {message.text}"]
