"""Cost as the fleet grows to 20,000 terminals, and insert and query as the journal grows to 100 million readings.

The largest journal is pretended, in its index, unless WATTLINE_GROWTH=whole: that takes minutes, and 6 GB of disk.
"""

import os

from hil.benchmarks.growth.fleet import Fleet, fleet
from hil.benchmarks.growth.journal import MILLION, Month, Size, month, sizes
from hil.benchmarks.result import Bar, Chart, Figure, Options, Result

FLEETS = (100, 1000, 7056, 20_000)
NOTES = [
    "Fleet: all terminals at once, a window of 9 points each, through mosquitto; several bursts, after one to warm up.",
    "CPU time of the gateway's process, a message: receive, check, commit (FULL sync), ack. Memory: resident, then.",
    "Commit: the mean; and the bound of the histogram's bucket that 99 % of the commits are within.",
    "Journal: insert is the wall clock of a window in bursts of 7,056, its sealing and share of the index in it.",
    "Queries: of a terminal's newest day, medians over 7 terminals, each asked for the first time.",
    "A month that came live: 2,976 windows of 9 points, each in a block with 63 others' frames; asked a second time.",
    "1 and 10 million readings are real frames. Pretended: 3 real, on an index of earlier days over empty blocks.",
]


def measure(options: Options) -> Result:
    """See the module."""
    whole = os.environ.get("WATTLINE_GROWTH") == "whole"
    fleets = [fleet(terminals, options.seed) for terminals in FLEETS]
    journals = sizes(options.seed, whole=whole)
    figures = [*_fleet_figures(fleets), *_journal_figures(journals), *_month_figures(month(options.seed, whole=whole))]
    return Result(figures, _charts(fleets, journals), NOTES)


def _fleet_figures(fleets: list[Fleet]) -> list[Figure]:
    figures = []
    for one in fleets:
        name = f"growth.terminals_{one.terminals}"
        figures += [
            Figure(f"{name}.cpu_us_per_message", round(one.cpu_us, 1), "us", 0, ""),
            Figure(f"{name}.rss_mib", round(one.rss_mib, 1), "MiB", 0, ""),
            Figure(f"{name}.commit_ms", round(one.commit_ms, 2), "ms", 0, ""),
            Figure(f"{name}.commit_99_ms", round(one.commit_99_ms, 2), "ms", 0, ""),
            Figure(f"{name}.burst_s", round(one.burst_s, 3), "s", 0, ""),
            Figure(f"{name}.commits_per_burst", round(one.commits, 1), "", 0, ""),
            Figure(f"{name}.written_bytes_per_message", round(one.written_bytes), "B", 0, ""),
        ]
    return figures


def _journal_figures(journals: list[Size]) -> list[Figure]:
    figures = []
    for one in journals:
        name = f"growth.readings_{one.readings // MILLION}m" + (".pretended" if one.pretended else "")
        figures += [
            Figure(f"{name}.insert_us_per_window", round(one.insert_us, 1), "us", 0, ""),
            Figure(f"{name}.insert_cpu_us_per_window", round(one.insert_cpu_us, 1), "us", 0, ""),
            *(
                Figure(f"{name}.{query.replace(' ', '_').replace(chr(39), '')}_ms", round(ms, 2), "ms", 0, "")
                for query, ms in one.query_ms.items()
            ),
            Figure(f"{name}.open_ms", round(one.open_ms, 1), "ms", 0, ""),
            Figure(f"{name}.file_mib", round(one.mib), "MiB", 0, ""),
        ]
    return figures


def _month_figures(one: Month) -> list[Figure]:
    name = f"growth.month_live_of_{round(one.readings / MILLION)}m"
    return [
        Figure(f"{name}.cpu_ms", round(one.cpu_ms, 1), "ms", 0, ""),
        Figure(f"{name}.wall_ms", round(one.wall_ms, 1), "ms", 0, ""),
    ]


def _charts(fleets: list[Fleet], journals: list[Size]) -> list[Chart]:
    def by_fleet(title: str, unit: str, of: str) -> Chart:
        return Chart(title, unit, [Bar(f"{one.terminals:,} terminals", getattr(one, of), ours=True) for one in fleets])

    def label(one: Size) -> str:
        return f"{one.readings // MILLION} million readings{' (pretended)' if one.pretended else ''}"

    insert = [Bar(label(one), one.insert_us, ours=True) for one in journals]
    asked = [
        Bar(f"{query}, {label(one)}", one.query_ms[query], ours=True)
        for query in journals[0].query_ms
        for one in journals
    ]
    return [
        by_fleet("CPU a message, by terminals", "µs", "cpu_us"),
        by_fleet("Memory, by terminals", "MiB", "rss_mib"),
        by_fleet("Mean commit, by terminals", "ms", "commit_ms"),
        Chart("Insert of a window, by the journal's size", "µs", insert),
        Chart("Query, by the journal's size", "ms", asked),
    ]
