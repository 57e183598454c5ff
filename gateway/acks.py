"""Acks: what became of a batch's records, told to each terminal. Built only from what is durable."""

from cext.decoder import Columns, seal_acks
from gateway.registry import Senders


def build(columns: Columns, outcomes: bytes, senders: Senders, now_ms: int) -> list[tuple[str, bytes]]:
    """(terminal, ack) for a batch: one a terminal, epoch and start of the terminal (FR-36), more where the ranges do
    not fit one (FR-34).

    outcomes: as the journal committed them. Each ack echoes the newest frame that it
    answers, and is sealed with that frame's key, which the terminal surely has. A record that is durable was never
    refused for good: where a batch says both (a conflict), each list says so for itself.
    """
    return seal_acks(columns, outcomes, senders.ids, senders.keys, now_ms)
