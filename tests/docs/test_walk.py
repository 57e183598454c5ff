"""The documentation's commands are run, line by line, as a reader would run them; or there is a reason why not."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs import commands
from tests.docs.commands import REPO, Shown
from tests.docs.world import RELEASE, World, world_in

# as a reader takes them: releases are made before one is rolled out
OPERATORS = "docs/operating-a-gateway.md"
WALK = ["README.md", "docs/quick-start.md", "docs/updates.md", OPERATORS, "docs/console.md", "docs/commissioning.md"]
# nothing else of a shell is run: what a page says as root must not happen to the machine that tests
HARMLESS = (
    "export PATH=",
    "export WATTLINE_CONFIG=",
    "cp -r deploy/",
    "mkdir keys",
    "install -d -m 750 -g wattline",
    "(umask",
    "chmod 640 platform.toml",
    "sed -i",
    "mosquitto -c",
)
GOES_ON = ("mosquitto -c", "wattline gateway run", "wattline gateway console ")

BOARD = "needs a board on a serial port; tests/e2e/test_commissioning.py plays these steps against the real terminal"
LONG = "takes minutes; tests/hil and `make test` play the same in short"
IMAGE = "needs MicroPython's file of a board; tests/firmware/test_bundle.py makes one up"
SUPPLY = "tests/deploy/supply runs what it calls"
ROOT = "needs root, users and a service manager; tests/deploy/test_services.py holds the files against each other"
UNKNOWN = "add it to a walk, or to NOT_RUN with the reason"
NOT_RUN = {  # lines of blocks that begin so: why
    "make test": "is what runs this",
    "make demo": "takes three minutes; tests/e2e plays what it calls",
    "wattline hil run broker_outage": LONG,
    "wattline hil fuzz": LONG,
    "wattline hil replay 4711@1a2b3c4": "names a commit that is an example",
    "wattline hil fleet": LONG,
    "wattline hil accuracy": LONG,
    "wattline hil alarms": LONG,
    ".venv/bin/wattline hil attack": "takes three minutes; tests/e2e/test_attack.py plays all of it",
    "make alarms": LONG,
    "wattline hil bench": BOARD,
    "wattline hil run terminal_kill --bench": BOARD,
    "wattline field commission": BOARD,
    "wattline field close-console": BOARD,
    "wattline field bundle make-image": IMAGE,
    "wattline gateway update --config gateway.toml --bundle wattline-image": IMAGE,
    ".venv/bin/python -m deploy.supply.sbom": SUPPLY,
    "make audit": SUPPLY,
    "mbpoll": "asks a terminal; tests/firmware/test_terminal_modbus.py has mbpoll ask one",
    "apt install": ROOT,
    "examples=": ROOT,
    "cp $examples": ROOT,
    "mosquitto_passwd": ROOT,
    "chown": ROOT,
    "chgrp": ROOT,
    "chmod 640 /etc/": ROOT,
    "sed '/^persistence_location/d'": "writes to /etc; tests/deploy/test_services.py runs it",
    "runuser": ROOT,
    "systemctl": ROOT,
    "wattline gateway restore --config gateway.toml --from /var/lib/wattline/before-upgrade": "needs a newer version;"
    " tests/e2e/test_upgrade.py runs what is printed",
}
# what a page names in its text and can be done as it stands
IN_TEXTS = {
    OPERATORS: (
        "wattline gateway status --config gateway.toml",
        "wattline gateway gaps --from 2026-03-01 --to 2026-04-01",
        "wattline gateway linkage --from 2026-03-01 --to 2026-04-01",
        "wattline gateway honesty --terminal T0001 --from 2026-03-01 --to 2026-04-01",
        "wattline gateway quarantine list",
        "wattline gateway unknown",
        "wattline gateway audit",
        "wattline gateway sealing-key",
        "wattline gateway monthly --month 2026-03 --out reports",
        "wattline gateway keys rewrap",
    ),
    "docs/commissioning.md": (
        "wattline gateway sealing-key --config gateway.toml",
        "wattline field technician-key li.wei.pem",
        "wattline field plan site.toml",
        "wattline field plan site.toml --out made",
    ),
}
BEFORE: dict[str, Callable[[World], None]] = {
    "cp -r deploy/example": World.go_to_the_checkout,
    "wattline gateway channels test": World.write_channels,
    "wattline gateway configure T0042 --file": World.write_configuration,
    "wattline gateway update --config": World.bring_release,
    "wattline gateway restore --config gateway.toml --from /backup/2026-03-01  ": World.lose_data,
    "wattline gateway console-user": World.name_users,
    "wattline field bundle keygen": World.go_to_the_office,
    "wattline field plan site.toml": World.plan_site,
}
AFTER: dict[str, Callable[[World], None]] = {
    "cp -r deploy/example": World.own_ports,
    "wattline gateway run": World.fill,
}


def reason(one: Shown) -> str:
    """Why a line is not run; "" if it is."""
    if one.is_block:
        if one.page.endswith(".zh.md"):
            return "its English page has it" if _words(one.text) in _english(one.page) else UNKNOWN
        why = next((why for beginning, why in NOT_RUN.items() if one.text.startswith(beginning)), "")
        is_known = one.text.removeprefix(".venv/bin/").startswith(("wattline ", *HARMLESS))
        return why or ("" if is_known and one.page in WALK else UNKNOWN)
    return "" if one.text in IN_TEXTS.get(one.page, ()) else "named, not told to be run"


def _words(text: str) -> list[str]:
    return shlex.split(text, comments=True)


def _english(page: str) -> list[list[str]]:
    return [_words(one.text) for one in commands.shown(REPO / page.replace(".zh.md", ".md")) if one.is_block]


def run(world: World, one: Shown) -> str:
    """What went wrong; "" if nothing did."""
    for beginning, prepare in BEFORE.items():
        if one.text.startswith(beginning):
            prepare(world)
    text = world.here(one.text).removeprefix(".venv/bin/")
    if text.startswith("wattline field bundle show"):
        text = text.replace("FILE.wlb", str(world.made_release()))
    if text.startswith(GOES_ON):
        said = world.start(text.partition("#")[0].rstrip("& \n"))
        wrong = "" if said or text.startswith("mosquitto") else f"{one}: never ready"
    else:
        words = _words(text)
        status, said = world.ours(words[1:]) if words[0] == "wattline" else world.shell(text)
        wrong = f"{one}: exit status {status}\n{said}" if status else ""
    for beginning, settle in AFTER.items():
        if not wrong and one.text.startswith(beginning):
            settle(world)
    return wrong


@pytest.mark.slow
def test_the_commands_of_the_pages_work_when_they_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-393"""
    with world_in(tmp_path, monkeypatch) as world:
        for page in WALK:
            for one in commands.shown(REPO / page):
                if not reason(one):
                    wrong = run(world, one)
                    assert not wrong, wrong
        assert (world.srv / RELEASE).exists()


def test_each_line_that_is_not_run_has_its_reason() -> None:
    """P-393: what no walk runs is named with why; and no reason is left of a line that is gone."""
    lines = [one for page in commands.PAGES for one in commands.shown(page) if one.is_block]
    assert [f"{one}: {UNKNOWN}" for one in lines if reason(one) == UNKNOWN] == []
    for page, wanted in IN_TEXTS.items():
        assert set(wanted) <= {one.text for one in commands.shown(REPO / page) if not one.is_block}
    assert [beginning for beginning in NOT_RUN if not any(one.text.startswith(beginning) for one in lines)] == []
