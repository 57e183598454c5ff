"""Log texts of a station: told as the watch does it, and what became of them."""

from contextlib import closing

from gateway.forward import log_texts, outbox
from gateway.forward.log_texts import REFUSED, LogText, State
from gateway.forward.text_packets import REASONS, UNANSWERED
from tests.gateway.forward.stations import HEAD_2017, ITEMS_2017, Station

LOG = 'log_id = "i21001"\n'
SINK = f"{LOG}restarts = false\n{HEAD_2017}{ITEMS_2017}"  # a platform.toml
GIVEN_UP = State(REFUSED, REASONS[UNANSWERED])


def tell(station: Station, *texts: LogText, channel: str = "") -> None:
    """As the watch does, on a connection of its own."""
    with closing(outbox.writable(outbox.file_of(station.folder, "s"))) as connection:
        log_texts.tell(connection, channel, texts)


def states(station: Station, *ids: str) -> list[State]:
    with closing(outbox.writable(outbox.file_of(station.folder, "s"))) as connection:
        return log_texts.states(connection, ids)
