"""Writes protocol/vectors/*.json: `python -m tests.protocol.make_vectors [FOLDER]`. A test holds the files to this."""

import sys
from collections.abc import Callable
from pathlib import Path

from tests.protocol.forge.acks import acks
from tests.protocol.forge.agreements import agreements
from tests.protocol.forge.book import Book
from tests.protocol.forge.bundles import bundles
from tests.protocol.forge.configurations import configurations
from tests.protocol.forge.frames_content import frames_content
from tests.protocol.forge.frames_envelope import frames_envelope
from tests.protocol.forge.frames_types import frames_types
from tests.protocol.forge.frames_valid import frames_valid
from tests.protocol.forge.images import images
from tests.protocol.forge.keys import keys
from tests.protocol.forge.p256 import p256
from tests.protocol.forge.records import records
from tests.protocol.forge.requests import requests
from tests.protocol.forge.tickets import tickets
from tests.protocol.forge.updates import updates

VECTORS = Path(__file__).resolve().parents[2] / "protocol" / "vectors"
BOOKS: dict[str, Callable[[], Book]] = {
    "frames_valid.json": frames_valid,
    "frames_envelope.json": frames_envelope,
    "frames_types.json": frames_types,
    "frames_content.json": frames_content,
    "acks.json": acks,
    "requests.json": requests,
    "configurations.json": configurations,
    "updates.json": updates,
    "keys.json": keys,
    "records.json": records,
}
OTHERS: dict[str, Callable[[], str]] = {
    "update/p256.json": p256,
    "update/bundles.json": bundles,
    "update/images.json": images,
    "update/tickets.json": tickets,
    "key_agreement.json": agreements,
}


def main(folder: Path = VECTORS) -> None:
    """Write every file."""
    for name, book in BOOKS.items():
        (folder / name).write_text(book().text(), encoding="utf-8")
    for name, text in OTHERS.items():
        (folder / name).write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main(*(Path(one) for one in sys.argv[1:]))
