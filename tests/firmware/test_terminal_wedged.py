"""A terminal that is wedged, on the real VM: it starts anew by itself, its first record says why, nothing is lost."""

import signal
import time
from pathlib import Path

import pytest
from terminal import supervisor

from hil.terminal import WEDGING, Terminal
from protocol import record
from tests.firmware.live_flash import freed
from tests.firmware.site import site
from tests.gateway.support import wait_until

pytestmark = [pytest.mark.e2e]
BACKLOG = 20
WATCHDOG, SAMPLER = 2, 1
ENDS_S = 60  # a bound for a busy machine; it takes 5 and 12


def wait_for_the_end(terminal: Terminal) -> None:
    deadline = time.monotonic() + ENDS_S
    while terminal.process.running:
        assert time.monotonic() < deadline, terminal.process.tail()
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("how", "status", "told"),
    [("blocks", -signal.SIGALRM, (WATCHDOG, 0)), ("waits", 0, (supervisor.CAUSE_WEDGED, SAMPLER))],
)
def test_a_wedged_terminal_starts_anew_says_why_and_loses_nothing(
    tmp_path: Path, how: str, status: int, told: tuple[int, int]
) -> None:
    """P-177, P-94: a read of the UART that never comes back, and a task that waits for ever."""
    wedge = tmp_path / "wedge"
    with site(tmp_path, program=WEDGING) as made:
        made.provision(sample_interval_s=1)
        made.prefill(BACKLOG)
        made.broker.start()
        made.terminal.process.env["WATTLINE_WEDGE"] = str(wedge)
        with made.gateway() as gateway:
            gateway.answering = False
            made.terminal.start()
            gateway.wait("the first start", lambda: len(gateway.events(record.BOOT)) == 1)
            wedge.write_text(how)
            wait_for_the_end(made.terminal)
            wedge.unlink()
            assert made.terminal.process.status == status
            gateway.answering = True
            made.terminal.keep_alive()
            gateway.wait("the second start", lambda: len(gateway.events(record.BOOT)) == 2)
            first, second = [seq for seq, one in sorted(gateway.records.items()) if is_start(one)]
            gateway.wait("all before it", lambda: set(range(1, second)) <= set(gateway.records))
            wait_until(lambda: freed(made.terminal, set(range(1, second + 1))), "the last ack")
            made.terminal.kill()
        one, other = gateway.events(record.BOOT)
        assert (one.values[0], one.values[2]) == (1, 0), "power came on"
        assert (other.values[0], other.values[2]) == told
        of_second = [seq for seq, each in gateway.records.items() if each.body.boot == other.boot]
        assert (first, min(of_second)) == (BACKLOG + 1, second)
        assert set(made.pending()).isdisjoint(range(1, second + 1))


def is_start(one: record.Record) -> bool:
    return bool(one.type == record.EVENT and one.body.code == record.BOOT)
