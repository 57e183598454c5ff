"""A month of one enterprise, from the press to the drawn page: `python -m tests.e2e.console.month FOLDER [TERMINALS]`.

FOLDER keeps the journal, so that it is filled once: 31 days of TERMINALS (3,925: a hundred million readings, 8 GB, some
minutes; 64: two million, seconds), a frame a window, as at each quarter of an hour. Three charts of nine points, with
alarms on them. A line of JSON for each figure; warm: pressed again and again, each time another enterprise's month,
whose blocks are in memory; cold: the file's pages are dropped, and the console and the browser are new.
"""

import json
import os
import statistics
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Browser, Page

from gateway.journal.journal import FILE
from gateway.watch.finding import Finding
from gateway.watch.linkage import STARTED_LATE, TREATMENT_OFF
from gateway.watch.store import Known, Look, Progress, Store
from hil.benchmarks.growth.filling import DAY_S, Filling
from hil.benchmarks.ingest.load import POINTS, SECRET, names
from hil.benchmarks.processes import cpu_s
from hil.benchmarks.realistic import WINDOW_S
from tests.e2e.console import house
from tests.e2e.console.browser import chromium, go, visit
from tests.gateway.support import write_key

TERMINALS = 3925  # times 2,976 windows times 9 points: a hundred million readings
DAYS = 31
SPARE_S = DAY_S  # the month that the page shows ends at midnight
WARM, COLD = 12, 5  # presses
ALARM_EVERY_S = 18 * 3600  # 41 in the month
LINKAGES = ((1, (2,)), (3, (4, 5)), (6, (7, 8, 9)))  # production, treatment: points
PRESS = """async () => {
    const old = new Set(document.querySelectorAll("canvas")), begun = performance.now();
    performance.clearResourceTimings();
    document.querySelector(".choices a:last-child").click();
    const drawn = () => [...document.querySelectorAll("#main:not([aria-busy]) .u-over")].length === CHARTS
        && ![...document.querySelectorAll("canvas")].some((one) => old.has(one));
    do await new Promise(requestAnimationFrame); while (!drawn());
    const shown = performance.now() - begun;
    const asked = performance.getEntriesByType("resource").find((one) => one.name.includes("/curves"));
    return {
        press_to_drawn_ms: shown,
        before_asked_ms: asked.requestStart - begun,
        answer_ms: asked.responseEnd - asked.requestStart,
        drawing_ms: begun + shown - asked.responseEnd,
        transferred_kib: asked.encodedBodySize / 1024,
    };
}""".replace("CHARTS", str(len(LINKAGES)))


def main() -> None:
    """Fill the folder where it is empty, measure, print."""
    folder, terminals = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else TERMINALS
    config = folder / "gateway.toml"
    if not config.exists():
        _fill(folder, terminals)
    print(json.dumps({"load": os.getloadavg()[0], "terminals": terminals}))
    with chromium() as browser:
        _say("warm", _warm(browser, config, terminals))
        _say("cold", [_cold(browser, config, number) for number in range(COLD)])


def _fill(folder: Path, terminals: int) -> None:
    """A gateway's folder: an enterprise for each terminal, and every one with alarms."""
    house.files(folder)
    write_key(folder / "T0001.hex", SECRET)
    (folder / "terminals.toml").write_text("".join(map(_terminal, names(terminals))))
    (folder / "enterprises.toml").write_text("".join(map(_enterprise, range(terminals), names(terminals))))
    slots = (DAYS * DAY_S + SPARE_S) // WINDOW_S
    filling = Filling(folder / "data", slots, 1, terminals)
    for _ in range(slots):
        filling.burst()
    filling.write_index()
    filling.journal.close()
    _alarm(folder, terminals, filling.end_s)


def _terminal(name: str) -> str:
    points = ", ".join(
        f'{{number = {number}, name = "测点 {number}", kind = "{_kind(number)}", rated_power_w = 200000}}'
        for number in range(1, POINTS + 1)
    )
    return f'[[terminal]]\nid = "{name}"\nkeys = [{{generation = 1, file = "T0001.hex"}}]\npoints = [{points}]\n'


def _kind(number: int) -> str:
    return "production" if any(number == one for one, _ in LINKAGES) else "treatment"


def _enterprise(number: int, terminal: str) -> str:
    linkages = "".join(
        f'[[enterprise.linkage]]\nname = "{one} 号"\nproduction = ["{terminal}/{one}"]\n'
        f"treatment = {json.dumps([f'{terminal}/{each}' for each in others])}\n"
        "production_on_w = 1000\ntreatment_on_w = 1000\n"
        for one, others in LINKAGES
    )
    return f'[[enterprise]]\nid = "E{number}"\nname = "第 {number} 厂"\n{linkages}\n'


def _alarm(folder: Path, terminals: int, end_s: int) -> None:
    """Alarms of a month, for the charts' marks and the table below them."""
    begins = range(end_s - DAYS * DAY_S, end_s, ALARM_EVERY_S)
    found = [
        Finding((TREATMENT_OFF, STARTED_LATE)[at % 2], begin_s, begin_s + 3600) for at, begin_s in enumerate(begins)
    ]
    span_s = (begins.start, end_s)
    looks = [
        Look(f"E{number}", f"{one} 号", ["treatment"], found[at :: len(LINKAGES)], *span_s)
        for number in range(terminals)
        for at, (one, _) in enumerate(LINKAGES)
    ]
    with closing(Store(folder / "data")) as store:
        store.take(looks, Known(Progress(0, 0)), end_s * 1000)


def _warm(browser: Browser, config: Path, terminals: int) -> list[dict[str, float]]:
    found = []
    with house.console_process(config) as (address, pid), visit(browser, address, "ada") as page:
        for number in range(WARM):
            _pressed(page, pid, number * 7 % terminals)  # its blocks are read from the disk
            found.append(_pressed(page, pid, number * 7 % terminals))
    return found


def _cold(browser: Browser, config: Path, number: int) -> dict[str, float]:
    with (config.parent / "data" / FILE).open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with house.console_process(config) as (address, pid), visit(browser, address, "ada") as page:
        return _pressed(page, pid, number)


def _pressed(page: Page, pid: int, number: int) -> dict[str, float]:
    """The month of an enterprise, pressed on its page of a day."""
    go(page, f"enterprise/E{number}")
    page.locator(".u-over").nth(len(LINKAGES) - 1).wait_for()
    begun_s = cpu_s(pid)
    found: dict[str, float] = page.evaluate(PRESS)
    return {**found, "console_cpu_ms": (cpu_s(pid) - begun_s) * 1000}


def _say(what: str, found: Sequence[dict[str, float]]) -> None:
    """Of each figure the middle one and the worst."""
    for name in found[0]:
        values = [one[name] for one in found]
        print(
            json.dumps(
                {
                    "what": f"{what}.{name}",
                    "middle": round(statistics.median(values), 1),
                    "worst": round(max(values), 1),
                }
            )
        )


if __name__ == "__main__":
    main()
