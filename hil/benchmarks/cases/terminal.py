"""What the terminal costs flash, link, processor and sampling, beside IoTaWatt's, Tasmota's and umqtt's way."""

import statistics
import tempfile
from pathlib import Path

from hil import flash_life
from hil.benchmarks.result import Bar, Chart, Figure, Options, Result, Table
from hil.benchmarks.terminal import wire
from hil.benchmarks.terminal.life import Lived, Way, live, live_at_once
from hil.benchmarks.terminal.wire import Published, Wire
from hil.flash_life import DAY_WINDOWS, POINTS, Life
from hil.scenario import WINDOW_S

FLASH_DAYS = 5
# of the terminal's own time
LINK_S = 48 * WINDOW_S  # 36 s; bytes are carried on to a day
QUIET_S = WINDOW_S  # 45 s
BUSY_S = 300  # 60 s, all of them with a backlog under way
BACKLOG = 672  # windows: a week
UMQTT_MESSAGES = 10
SAMPLE_S = 5
GPRS = "2g"
JITTER_PERMILLE = 900  # the largest of sixty periods says more of the machine
LINKS = (Way(1200, 300, secure=False), Way(1200, 300, secure=True))
QUIET = Way(20, SAMPLE_S, secure=False)
BUSY = Way(5, SAMPLE_S, secure=True, backlog=BACKLOG, weather=GPRS)
IOTAWATT, TASMOTA, UMQTT = "IoTaWatt's way", "Tasmota's way", "umqtt's way"
QUEUE = "a file a reading, renamed"
DATALOG_BYTES = 195 * 256 / 15  # of a channel and window: a record each 5 s and each minute, of 15 channels
NOTES = [
    "Ours is run: the whole terminal from its image on the 32-bit VM, nine meters on a pty, mosquitto, the gateway.",
    "Flash: kept is a record's share in the log; programmed is all that the chip is told to write for it, with acks.",
    "append: the VM's time and the chip's by its data sheet (45 ms an erase, 0.4 ms a page, typical); synced.",
    "Link: both directions, connecting included. TCP/IP's headers and PINGREQs are computed, not run (wire.py).",
    "Jitter: by how much the time between two reads of a meter was off the interval, in real ms, as the meter saw it;",
    f"while TLS and a week's backlog go over GPRS ({GPRS}: 600 ms there and back, 5 kB/s). The flash takes no time:",
    "on a board the longest append comes on top. umqtt: what each publish keeps the loop from doing, on the same link.",
    "CPU: of the VM on this machine, connected; 180 rounds of nine meters a window. A board's is another.",
    "umqtt's way is run by hil/vm/umqtt_way.py (pip can't install its package): JSON made beforehand, QoS 1, a window",
    "a message, no pings. IoTaWatt's and Tasmota's are computed by their formats, a Tasmota device a point.",
]


def measure(options: Options) -> Result:
    """See the module."""
    log, queue = _flash(options.seed)
    plain, secure = live_at_once(LINKS, LINK_S)  # no other load changes their bytes
    quiet, busy = live(QUIET, QUIET_S), live(BUSY, BUSY_S)
    near, far = (wire.umqtt(options.seed, weather, UMQTT_MESSAGES) for weather in ("lan", GPRS))
    links = {
        "Wattline, TLS": wire.ours(secure, secure=True),
        "Wattline, TCP": wire.ours(plain, secure=False),
        UMQTT: near.wire,
        TASMOTA: wire.tasmota(),
    }
    figures = [
        *_flash_figures(log, queue),
        *_link_figures(links),
        *_jitter_figures(quiet, busy, far),
        *_cpu_figures(quiet, near),
    ]
    bars = [Bar(name, one.total / 1e6, name.startswith("Wattline")) for name, one in links.items()]
    return Result(figures, [Chart("On the link a day", "MB", bars)], NOTES, [_table(links)])


def _flash(seed: int) -> tuple[Life, Life]:
    with tempfile.TemporaryDirectory() as name:
        folder, windows = Path(name), FLASH_DAYS * DAY_WINDOWS
        return tuple(flash_life.live(folder, way, 0, windows, seed) for way in ("log", "rename"))  # type: ignore[return-value]


def _flash_figures(log: Life, queue: Life) -> list[Figure]:
    kept, programmed = (count / log.windows / POINTS for count in (log.record_bytes, log.programmed_bytes))
    ours, theirs = statistics.median(log.append_ms), statistics.median(queue.append_ms)
    return [
        Figure("terminal.flash_bytes_per_point_window", round(kept, 1), "bytes", 0, ""),
        Figure("terminal.flash_programmed_bytes_per_point_window", round(programmed, 1), "bytes", 0, ""),
        Figure("terminal.iotawatt_flash_bytes_per_point_window", round(DATALOG_BYTES), "bytes", 0, IOTAWATT),
        Figure("terminal.flash_ratio_iotawatt", round(DATALOG_BYTES / kept, 1), "ratio", 0, IOTAWATT),
        Figure("terminal.append_ms", round(ours, 1), "ms", 0, ""),
        Figure("terminal.append_p99_ms", round(_permille(log.append_ms, 990), 1), "ms", 0, ""),
        Figure("terminal.append_max_ms", round(log.append_ms[-1], 1), "ms", 0, ""),
        Figure("terminal.queue_append_ms", round(theirs, 1), "ms", 0, QUEUE),
        Figure("terminal.append_ratio_queue", round(theirs / ours, 2), "ratio", 0, QUEUE),
    ]


def _link_figures(links: dict[str, Wire]) -> list[Figure]:
    secure, plain, umqtt, tasmota = links.values()
    messages = (umqtt.total - umqtt.pings) / (plain.total - plain.pings)
    return [
        Figure("terminal.wire_bytes_per_day", secure.total, "bytes", 0, ""),
        Figure("terminal.wire_tcp_bytes_per_day", plain.total, "bytes", 0, ""),
        Figure("terminal.umqtt_wire_bytes_per_day", umqtt.total, "bytes", 0, UMQTT),
        Figure("terminal.tasmota_wire_bytes_per_day", tasmota.total, "bytes", 0, TASMOTA),
        Figure("terminal.wire_ratio_umqtt", round(messages, 2), "ratio", 0, f"{UMQTT}, TCP, both without pings"),
        Figure("terminal.wire_ratio_tasmota", round(tasmota.total / plain.total, 2), "ratio", 0, f"{TASMOTA}, TCP"),
    ]


def _jitter_figures(quiet: Lived, busy: Lived, far: Published) -> list[Figure]:
    blocked_ms, jitter_ms = statistics.median(far.blocked_ms), _permille(busy.uneven_ms, JITTER_PERMILLE)
    return [
        Figure("terminal.jitter_ms", round(jitter_ms, 1), "ms", 0, ""),
        Figure("terminal.jitter_max_ms", round(busy.uneven_ms[-1], 1), "ms", 0, ""),
        Figure("terminal.jitter_idle_ms", round(_permille(quiet.uneven_ms, JITTER_PERMILLE), 1), "ms", 0, ""),
        Figure("terminal.umqtt_blocked_ms", round(blocked_ms, 1), "ms", 0, UMQTT),
        Figure("terminal.jitter_ratio_umqtt", round(blocked_ms / max(jitter_ms, 1), 1), "ratio", 0, UMQTT),
    ]


def _cpu_figures(quiet: Lived, near: Published) -> list[Figure]:
    ours_ms = 1000 * quiet.cpu_s / quiet.windows
    theirs = f"{UMQTT}: sending alone"
    return [
        Figure("terminal.cpu_ms_per_window", round(ours_ms, 1), "ms", 0, ""),
        Figure("terminal.cpu_ms_per_round", round(ours_ms * SAMPLE_S / WINDOW_S, 2), "ms", 0, ""),
        Figure("terminal.umqtt_cpu_ms_per_window", round(near.cpu_ms_per_window, 2), "ms", 0, theirs),
    ]


def _table(links: dict[str, Wire]) -> Table:
    rows = [[name, *(f"{part:,}" for part in (*one, one.total))] for name, one in links.items()]
    return Table("Bytes on the link a day, nine points", ["way", "MQTT, TLS", "pings", "TCP/IP headers", "all"], rows)


def _permille(rising: list[float], permille: int) -> float:
    return rising[min(len(rising) - 1, len(rising) * permille // 1000)]
