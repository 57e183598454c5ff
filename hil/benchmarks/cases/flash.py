"""What a window of 9 points costs the flash: the log, a queue of files, IoTaWatt's datalog, and once a day."""

import tempfile
from pathlib import Path

from hil import flash_life
from hil.benchmarks.result import Bar, Chart, Figure, Options, Result
from hil.benchmarks.timing import Samples
from hil.flash_life import ENDURANCE, FULL_WINDOWS, POINTS, Life

DAY = flash_life.DAY_WINDOWS
LOG_DAYS = 91  # of a full log
SHORT_DAYS = 10  # of a log that is timed, each round
QUEUE_DAYS = 4
DATALOG_WINDOWS = 20
ROUNDS_MAX = 5  # counts are the same in each; times vary little
QUEUE = "queue of files"
DATALOG = "IoTaWatt's datalog"
DAILY = "once a day"
NOTES = [
    f"A real LittleFS of 8 MiB on MicroPython (32 bit); windows of {POINTS} points of real size, acknowledged at once.",
    f"The log was full before (over six months), then lived {LOG_DAYS} days, with a restart a day: all is counted.",
    "worst_block_10y is the block that was erased most in that time, carried on to ten years: an upper bound, because",
    "the log goes round the flash, and LittleFS moves what it writes often.",
    "flash_ms: erases and pages by the data sheet of a W25Q64JV, typical (45 ms, 0.4 ms). append_us: of the VM alone.",
    "Queue of files: a file a reading, written anew and renamed, removed at its ack, as senders with umqtt keep them.",
    "It is cheap while it is nearly empty (LittleFS keeps such files in its folder) and has nothing to send again.",
    "IoTaWatt's datalog: 256 bytes each 5 s and each minute, on this flash; its own SD card does not show its erases.",
    "Once a day: totals, as Tasmota keeps its energies; a cut costs up to a day.",
]


def measure(options: Options) -> Result:
    """See the module."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lived = flash_life.live(folder, "log", FULL_WINDOWS, LOG_DAYS * DAY, options.seed)
        queue = flash_life.live(folder, "rename", 0, QUEUE_DAYS * DAY, options.seed)
        datalog = flash_life.live(folder, "datalog", 0, DATALOG_WINDOWS, options.seed)
        daily = flash_life.live(folder, "daily", 0, LOG_DAYS * DAY, options.seed)
        timed = [_round(options.seed, SHORT_DAYS) for _ in range(max(2, min(options.rounds, ROUNDS_MAX)))]
    ours = Samples([float(log.median_us) for log, _ in timed])
    theirs = Samples([float(other.median_us) for _, other in timed])
    figures = [
        *_of("flash", lived),
        Figure("flash.worst_block_10y", lived.worst_in_ten_years, "erases", 0, "", f"at most {ENDURANCE:,}"),
        _figure("flash.append_us", ours, "us"),
        _figure("flash.queue_append_us", theirs, "us", QUEUE),
        _figure("flash.append_ratio_queue", theirs.over(ours), "ratio", QUEUE),
        *_of("flash.queue", queue, QUEUE),
        Figure("flash.queue_worst_block_10y", queue.worst_in_ten_years, "erases", 0, QUEUE),
        *_of("flash.datalog", datalog, DATALOG),
        *_of("flash.daily", daily, DAILY),
        Figure("flash.erases_ratio_datalog", _ratio(datalog, lived), "ratio", 0, DATALOG),
        Figure("flash.erases_ratio_queue", _ratio(queue, lived), "ratio", 0, QUEUE),
    ]
    ways = ((DATALOG, datalog), ("a file a reading", queue), ("once a day", daily))
    bars = [Bar(label, round(one.flash_ms_per_window, 1)) for label, one in ways]
    bars.insert(2, Bar("the log", round(lived.flash_ms_per_window, 1), ours=True))
    return Result(figures, [Chart("Time of the flash a window", "ms", bars)], NOTES)


def _round(seed: int, days: int) -> tuple[Life, Life]:
    """The log and the queue, one after the other."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return flash_life.live(folder, "log", 0, days * DAY, seed), flash_life.live(folder, "rename", 0, DAY, seed)


def _of(prefix: str, life: Life, peer: str = "") -> list[Figure]:
    start = prefix + ("." if prefix == "flash" else "_")
    return [
        Figure(f"{start}erases_per_window", round(life.erases / life.windows, 3), "erases", 0, peer),
        Figure(
            f"{start}programmed_bytes_per_point_window",
            round(life.programmed_bytes / life.windows / POINTS, 1),
            "bytes",
            0,
            peer,
        ),
        Figure(f"{start}flash_ms_per_window", round(life.flash_ms_per_window, 1), "ms", 0, peer),
    ]


def _ratio(peer: Life, ours: Life) -> float:
    return round((peer.erases / peer.windows) / (ours.erases / ours.windows), 2)


def _figure(name: str, samples: Samples, unit: str, peer: str = "") -> Figure:
    return Figure(name, round(samples.median, 2), unit, round(samples.spread, 2), peer)
