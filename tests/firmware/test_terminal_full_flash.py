"""A terminal whose file system takes nothing more, on the real VM: it starts, makes room in its log, and goes on."""

from pathlib import Path

import pytest

from protocol import record
from tests.firmware.site import site

pytestmark = [pytest.mark.e2e]
BLOCKS = 128  # a small flash: it is full soon
BACKLOG = 600  # some segments of the log


@pytest.mark.parametrize("vm", ["vm64", "vm32"])
def test_a_terminal_starts_on_a_flash_that_takes_nothing(tmp_path: Path, vm: str) -> None:
    """P-177"""
    with site(tmp_path, vm) as made:
        made.terminal.process.env["WATTLINE_FLASH_BLOCKS"] = str(BLOCKS)
        made.provision()
        made.prefill(BACKLOG)
        print(made.terminal.run_vm("fill.py", str(made.terminal.image)))
        made.broker.start()
        with made.gateway() as gateway:
            for start in (1, 2):
                made.terminal.start()
                gateway.wait("a start", lambda start=start: len(gateway.events(record.BOOT)) == start)
                made.terminal.kill()
