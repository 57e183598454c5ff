"""How fast the console is, on this machine: `python -m tests.e2e.console.measure`.

A line of JSON for each: first paint, the list of 7,056 terminals (asked, shown; a frame while it scrolls; a search), a
month of an enterprise (asked and drawn), and what all pages transfer.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page

from tests.e2e.console import house, province
from tests.e2e.console.browser import chromium, go, visit
from tests.e2e.console.house import PAGES, TRANSFERRED

PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
SCROLL = """async () => {
    const rows = document.querySelector(".rows"), frames = [];
    let before = performance.now();
    for (let turn = 1; turn <= 120; turn++) {
        rows.scrollTop = turn * 1500;
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        frames.push(now - before);
        before = now;
    }
    return frames;
}"""
SEARCH = """async () => {
    const search = document.querySelector("input[type=search]"), spent = [];
    for (const text of ["P", "P0", "P06", "P069", "P0699", "P06999", ""]) {
        const before = performance.now();
        search.value = text;
        search.dispatchEvent(new Event("input"));
        document.body.offsetHeight;
        spent.push(performance.now() - before);
    }
    return spent;
}"""
OPEN = """async place => {
    const main = document.getElementById("main"), before = performance.now();
    location.hash = place;
    await new Promise(requestAnimationFrame);
    while (main.hasAttribute("aria-busy")) await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    return performance.now() - before;
}"""


def main() -> None:
    """Make the folder, measure, print."""
    with tempfile.TemporaryDirectory() as folder:
        config = house.make(Path(folder) / "plant", house.first_s())
        province.fill(config.parent)
        with house.console(config) as address, chromium() as browser, visit(browser, address, "ada") as page:
            say("first paint ms", [page.evaluate(PAINT)])
            say("list of 7,056 shown ms", opened(page, "#/fleet"))
            go(page, "fleet")
            say("a frame while it scrolls ms", page.evaluate(SCROLL))
            say("a search ms", page.evaluate(SEARCH))
            say("a month drawn ms", opened(page, "#/enterprise/E1?days=31"))
            for place in PAGES:
                go(page, place)
            say("all pages KiB", [page.evaluate(TRANSFERRED) / 1024])


def opened(page: Page, place: str) -> list[float]:
    """Milliseconds from a click until it is shown, five times."""
    found = []
    for _ in range(5):
        found.append(float(page.evaluate(OPEN, place)))
        page.evaluate(OPEN, "#/sinks")
    return found


def say(what: str, found: Sequence[float]) -> None:
    """Print the middle one and the worst."""
    order = sorted(found)
    print(json.dumps({"what": what, "middle": round(order[len(order) // 2], 1), "worst": round(order[-1], 1)}))


if __name__ == "__main__":
    main()
