"""The real console beside a real gateway that runs, with terminals behind a real broker, driven in Debian's Chromium by
each role.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from hil.broker import Broker
from protocol import ack, down
from tests.e2e.console import house
from tests.e2e.console.browser import DESKTOP, PHONE, chromium, go, visit
from tests.e2e.console.house import MISSING, PAGES, SENDER, SLOT_S, SLOTS, TRANSFERRED, missed
from tests.gateway.commissioning.newcomer import NEW
from tests.gateway.support import Device, event, mosquitto, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.untimed]
OPERATORS = ("alarm/1", "gaps/T0001", "quarantine", "frame/2", "sinks", "admission")
UNTOLD = re.compile(r"\b(?:null|undefined|NaN)\b")  # what a page shows that was told nothing
NAMELESS = "all => all.filter(one => !(one.innerText || one.ariaLabel || one.labels?.length)).map(one => one.outerHTML)"
ASKED = "performance.getEntries().map(one => one.name).filter(name => name.includes('/api/enterprises'))"
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with Broker(mosquitto(), tmp_path_factory.mktemp("broker")) as broker:
        broker.start()
        yield broker.port


@pytest.fixture(scope="module")
def begin_s() -> int:
    return house.first_s()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, begin_s: int, port: int) -> Path:
    return house.make(tmp_path_factory.mktemp("console") / "plant", begin_s, port)


@pytest.fixture(scope="module")
def address(config: Path) -> Iterator[str]:
    with house.gateway(config), house.console(config) as address:
        yield address


@pytest.fixture
def terminal(port: int) -> Iterator[Callable[[str], Device]]:
    """Terminals by name, as the broker has them."""
    with ExitStack() as stack:

        def connected(name: str) -> Device:
            device = Device(port, name)
            stack.callback(device.close)
            return device

        yield connected


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def press(page: Page, name: str) -> None:
    page.get_by_role("main").get_by_role("button", name=name, exact=True).first.click()


def told(device: Device) -> list[ack.Ack | down.Request]:
    """What the gateway has told T0001."""
    return [SENDER.open_down(data) for data in device.down(0)]


def asked_for(device: Device, alive: bytes) -> list[tuple[int, int]]:
    """The records that T0001 is asked for, who says again that it is alive: it is told when it is heard."""
    device.publish(SENDER.name, SENDER.frame([alive]))
    return [span for one in told(device) if isinstance(one, down.Request) for span in one.ranges]


def has_ack(device: Device, seqs: tuple[int, int]) -> bool:
    return any(isinstance(one, ack.Ack) and seqs in one.durable for one in told(device))


def test_an_operator_finds_what_is_off_and_deals_with_it(
    address: str, browser: Browser, begin_s: int, terminal: Callable[[str], Device]
) -> None:
    """P-317: the enterprise, its alarm, the curve that shows it, a notice on one sheet, a gap, a refused frame."""
    note = '<img src=x onerror="document.body.remove()">'
    with visit(browser, address, "olga") as page:
        row = page.locator(".rows a").first
        expect(row).to_contain_text("production ran, treatment did not × 2")
        row.click()
        expect(page.get_by_role("img")).to_have_attribute("aria-label", house.CHART)
        page.get_by_role("link", name="production ran, treatment did not").first.click()
        expect(page.locator("figure canvas")).to_be_visible()
        expect(page.locator("dl").first).to_contain_text("2 h")
        page.get_by_label("Note").fill(note)
        press(page, "Dispatch a notice")
        expect(page.locator(".steps")).to_contain_text(note)
        expect(page.locator("h1")).to_contain_text("notice sent")
        page.get_by_role("link", name="Supervision notice (print)").click()
        expect(page.locator(".paper")).to_contain_text("第一炼钢厂")
        assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))) == 1

        go(page, "gaps/T0001")
        press(page, "Back-fill")
        expect(page.get_by_role("status").last).to_contain_text("will be asked for")
        expect(page.get_by_role("table").last).to_contain_text("operator")
        device, missing = terminal(SENDER.name), (MISSING.start, MISSING.stop - 1)
        alive = event(SLOTS + 1, begin_s + SLOTS * SLOT_S, values=[1, 1_004_002])
        wait_until(lambda: missing in asked_for(device, alive), "the terminal is asked for what is missing")
        device.publish(SENDER.name, SENDER.frame(missed(begin_s)))
        wait_until(lambda: has_ack(device, missing), "it is acknowledged")
        page.reload()
        expect(page.get_by_text("late").first).to_be_visible()
        expect(page.get_by_role("button", name="Back-fill", exact=True)).to_have_count(0)

        go(page, "quarantine")
        page.locator(".rows a", has_text="T0001").click()
        press(page, "Replay")
        expect(page.get_by_role("status").last).to_contain_text("1 taken")
        expect(page.locator(".rows a")).to_have_count(1)


def test_enterprises_whose_places_are_known_are_on_a_map(address: str, browser: Browser) -> None:
    """P-317: the one with alarms stands out, by name; a press, or Enter, opens it; what is searched is left."""
    with visit(browser, address, "olga") as page:
        page.get_by_role("link", name="Map").click()
        dots = page.locator("svg a")
        expect(dots).to_have_count(2)
        expect(page.locator("svg a.bad")).to_have_attribute("aria-label", re.compile("第一炼钢厂: Alarms: [1-9]"))
        expect(page.locator("svg")).to_contain_text("5 km")  # they are 28 km apart, nine tenths of its width
        page.get_by_role("searchbox").fill("E2")
        expect(dots).to_have_count(1)
        page.get_by_role("searchbox").fill("")
        page.locator("svg a.bad").focus()
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_contain_text("第一炼钢厂")


def test_an_admin_admits_a_terminal_and_the_log_has_it(
    config: Path, address: str, browser: Browser, terminal: Callable[[str], Device]
) -> None:
    """P-318: by a technician's document; what is no such document is refused and says why. It is heard from then on."""
    with visit(browser, address, "ada") as page:
        go(page, "admission")
        expect(page.get_by_role("table")).to_contain_text("T0042")
        page.get_by_label("The document (JSON)").fill("{}")
        press(page, "Take it")
        expect(page.get_by_role("alert")).to_be_visible()
        page.get_by_label("The document (JSON)").fill(house.enrolment(config))
        press(page, "Take it")
        expect(page.get_by_text("None knocks")).to_be_visible()
        go(page, "fleet")
        expect(page.locator(".rows a", has_text="T0042")).to_contain_text("Never heard")
        wait_until(lambda: '"reloaded"' in (config.parent / "gateway.log").read_text(), "the gateway knows it")
        admitted = terminal(NEW.name)
        admitted.publish(NEW.name, NEW.frame([event(1)]))
        assert NEW.open_ack(admitted.down(1)[0]).durable == [(1, 1)]
        go(page, "audit")
        expect(page.get_by_role("table")).to_contain_text("POST /api/admissions")


def test_a_viewer_sees_no_button_that_is_not_theirs(address: str, browser: Browser) -> None:
    """P-318: nor an operator an admin's."""
    with visit(browser, address, "vera") as page:
        expect(page.get_by_role("link", name="Audit log")).to_have_count(0)
        for place in OPERATORS:
            go(page, place)
            assert UNTOLD.findall(page.locator("body").inner_text()) == [], place
            expect(page.locator("main button:not(.head button), main textarea, main form")).to_have_count(0)
    with visit(browser, address, "olga") as page:
        expect(page.get_by_role("link", name="Audit log")).to_have_count(0)
        go(page, "admission")
        expect(page.locator("main form")).to_have_count(0)


@pytest.mark.parametrize(
    ("size", "locale", "theme"), [(DESKTOP, "en-GB", "light"), (PHONE, "zh-CN", "dark")], ids=["desktop", "phone"]
)
def test_every_page_fits_and_can_be_read(
    address: str, browser: Browser, size: tuple[int, int], locale: str, theme: str
) -> None:
    """P-319: nothing is wider than the screen; text has a contrast of 4.5:1; fields and buttons have names.

    P-320: all of them together are below 200 KiB as transferred, but for what the API gives; an enterprise's asks once.
    """
    with visit(browser, address, "ada", size, locale, theme) as page:
        for place in PAGES:
            go(page, place)
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0], place
            assert page.evaluate(CONTRAST) == [], place
            assert UNTOLD.findall(page.locator("body").inner_text()) == [], place
            assert page.locator("button, input, textarea, a").evaluate_all(NAMELESS) == [], place
        assert 20_000 < page.evaluate(TRANSFERRED) < 200 * 1024
        go(page, "audit")
        page.evaluate("performance.clearResourceTimings()")
        go(page, "enterprise/E1")
        (asked,) = page.evaluate(ASKED)
        assert "/api/enterprises/E1/curves?" in asked


def test_what_a_chart_needs_is_asked_for_again_where_it_did_not_come(address: str, browser: Browser) -> None:
    """P-504: the page says what failed, and the next one has its curve; without linkages it says that."""
    with visit(browser, address, "vera") as page:
        page.route("**/uPlot.min.js", lambda route: route.abort())
        go(page, "enterprise/E1")
        expect(page.get_by_role("alert")).to_contain_text("uPlot")
        page.unroute("**/uPlot.min.js")
        go(page, "enterprise/E2")
        expect(page.locator(".empty").first).to_contain_text("No linkage")
        expect(page.get_by_role("main")).not_to_contain_text("Gap calendars")
        go(page, "enterprise/E1")
        expect(page.locator("figure canvas")).to_be_visible()


def test_an_alarm_of_an_enterprise_that_is_gone_can_be_dealt_with(config: Path, address: str, browser: Browser) -> None:
    """P-317: its curve can't be drawn, which the page says."""
    file = config.parent / "enterprises.toml"
    before = file.read_text()
    with visit(browser, address, "olga") as page:
        file.write_text(before.replace('id = "E1"', 'id = "E3"'))
        try:
            go(page, "alarm/1")
            expect(page.get_by_role("alert")).to_contain_text("E1")
            expect(page.get_by_role("main").get_by_role("button", name="Close", exact=True)).to_be_visible()
        finally:
            file.write_text(before)


def test_a_page_hears_of_what_others_do(config: Path, address: str, browser: Browser) -> None:
    """P-323: without being loaded again."""
    with visit(browser, address, "vera") as page:
        go(page, "alarms")
        row = page.locator(".rows a", has_text="nothing came from the terminal")
        expect(row).to_contain_text("open")
        named = str(row.get_attribute("href")).rpartition("/")[2]
        house.command(config, "alarms", "step", named, "acknowledged", "--who", "wang")
        expect(row).to_contain_text("acknowledged")


def test_by_keyboard(address: str, browser: Browser) -> None:
    """P-319: / goes to the search, Esc out of it, arrows from row to row, Enter opens; Esc answers no question."""
    with visit(browser, address, "olga") as page:
        go(page, "alarms")
        page.keyboard.press("/")
        page.keyboard.type("treatment did not")
        expect(page.locator(".rows a")).to_have_count(2)
        page.keyboard.press("Escape")
        expect(page.locator("input[type=search]")).to_have_value("")
        page.locator(".rows").focus()
        page.keyboard.press("ArrowDown")
        expect(page.locator(".rows a").first).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_contain_text("Alarm")
        go(page, "quarantine")
        count = page.locator(".rows a").count()
        for name in ("Replay all listed", "Discard all listed"):
            page.get_by_role("button", name=name).focus()
            page.keyboard.press("Enter")
            expect(page.get_by_role("dialog")).to_contain_text(f" {count} frames")
            page.keyboard.press("Escape")
            expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.locator(".rows a")).to_have_count(count)
        page.locator(".rows").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_contain_text("Refused frame")
        press(page, "Discard")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.locator("h1")).to_contain_text("Refused frame")
