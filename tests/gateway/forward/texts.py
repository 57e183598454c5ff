"""Log texts of a station: told as the watch does it, and what became of them."""

from contextlib import closing
from pathlib import Path

from gateway.forward import log_texts, outbox
from gateway.forward.log_texts import REFUSED, LogText, State
from gateway.forward.text_packets import REASONS, UNANSWERED
from tests.gateway.forward.platform_double import PlatformDouble
from tests.gateway.forward.stations import HEAD_2017, ITEMS_2017, Station, mapping

LOG = 'log_id = "i21001"\n'
SINK = f"{LOG}restarts = false\n{HEAD_2017}{ITEMS_2017}"  # a platform.toml
GIVEN_UP = State(REFUSED, REASONS[UNANSWERED])


def station_of(folder: Path, platform: PlatformDouble, text: str = SINK) -> Station:
    return Station(folder, mapping(folder, text), platform)


def pass_time(station: Station, of_ms: int, step_ms: int = 10_000) -> None:
    for _ in range(of_ms // step_ms):
        station.platform.now_ms += step_ms
        station.steps(2)


def windows_at(platform: PlatformDouble) -> int:
    """Periods that the platform has."""
    return sum(cn == "2051" for _, cn, _ in platform.ledger.complete)


def tell(station: Station, *texts: LogText, channel: str = "") -> None:
    """As the watch does, on a connection of its own."""
    with closing(outbox.writable(outbox.file_of(station.folder, "s"))) as connection:
        log_texts.tell(connection, channel, texts)


def states(station: Station, *ids: str) -> list[State]:
    with closing(outbox.writable(outbox.file_of(station.folder, "s"))) as connection:
        return log_texts.states(connection, ids)
