"""The test upload: the terminal is started, and its console watched until the gateway has acknowledged a record.

What a terminal says is terminal/uplink_task.py's, answers.py's and main.py's. `judge` is without I/O: lines in, an
outcome out; the last thing that went wrong says why nothing was acknowledged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from firmware.field.commission.words import UPLOAD
from firmware.field.outcome import REFUSED, Outcome, passed

STEP = "test"
_ACKED = re.compile(r"uplink: acknowledged by the gateway: epoch ([0-9a-f]{8}) record ([0-9]+)")
_CONNECTED = re.compile(r"uplink: connected")
_SAID: tuple[tuple[str, re.Pattern[str]], ...] = (  # what a line means; the first that fits
    ("certificate", re.compile(r"uplink: the broker's certificate is refused")),
    ("no_link", re.compile(r"uplink: OSError no Wi-Fi yet")),
    ("broker_refuses", re.compile(r"uplink: MqttError")),
    ("hung_up", re.compile(r"uplink: OSError (32|\[Errno 32\]|\(-30592)")),  # EPIPE, or TLS's fatal alert
    # getaddrinfo's own numbers are below 0; TLS's have four digits and more
    ("no_such_host", re.compile(r"uplink: OSError (\[Errno )?-[0-9]{1,3}\b")),
    ("no_broker", re.compile(r"uplink: (OSError|TimeoutError|EOFError)")),
    ("key", re.compile(r"uplink: ack ignored: (mac|tag|key|kid)")),
    ("refused", re.compile(r"uplink: refused by the gateway")),
    ("configuration", re.compile(r"\.json: .*allowed / 允许|^key: .*allowed / 允许|\.der: .*allowed / 允许")),
    ("crash", re.compile(r"^(MemoryError|[A-Za-z]*Error: |ImportError)")),
)


def judge(said: Iterable[str | None], tell: Callable[[str], None] = lambda _: None) -> Outcome:
    """What the lines of a terminal that was just started come to; None: a while without one. tell: each line."""
    state = "silent"
    heard: list[str] = []
    for line in said:
        if not line:
            continue
        tell(line)
        heard = [*heard, line][-20:]  # what a ticket needs
        acked = _ACKED.search(line)
        if acked:
            return passed(STEP, epoch=int(acked[1], 16), seq=int(acked[2]))
        state = _next(state, line)
        if state == "configuration":  # it ended, and says the same at each start
            break
    return Outcome(STEP, "failed", (UPLOAD[state],), {"console": heard}, REFUSED)


def _next(state: str, line: str) -> str:
    if _CONNECTED.search(line):
        return "not_answered"
    for name, pattern in _SAID:
        if pattern.search(line):
            return name
    return "not_answered" if state == "silent" and "wattline" not in line else state
