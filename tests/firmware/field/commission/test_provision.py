"""A board gets its identity: whole, verified, with a key that nobody else sees, however often the cable is pulled."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from terminal import config

from firmware.field import site
from firmware.field.board import data
from firmware.field.board.link import Link
from firmware.field.commission import session, steps
from firmware.field.commission.work import Signer, Work
from firmware.field.outcome import Outcome
from hil.board.blank import BlankBoard, blank_board
from protocol.host import commissioning, sealing, signed
from tests.firmware.field.plans import laid_out

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
SIGNER = Signer("li.wei", Ed25519PrivateKey.from_private_bytes(b"t" * 32))
GATEWAY = X25519PrivateKey.from_private_bytes(b"g" * 32)
STEP = next(one for one in steps.STEPS if one.name == "provision")


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlankBoard]:
    with blank_board(tmp_path_factory.mktemp("board"), installed=True) as made:
        Link(made.port, wait_start=True).close()
        yield made


def work_of(folder: Path, board: BlankBoard, terminal: str = "T0001") -> Work:
    old_key = site.load(laid_out(folder), now=NOW).plan.gateway.sealing_key
    edits = [("T0001", terminal)] * 3
    file = laid_out(folder, (old_key, sealing.public_hex(GATEWAY)), ('"esp32s3"', '"unix"'), *edits)
    found = site.load(file, now=NOW)
    return Work(found, found.terminal(None), board.port, folder, SIGNER, lambda: NOW, lambda _: None)


def provisioned(work: Work) -> Outcome:
    return steps.attempt(STEP, work, session.begun(work.file("session.json"), work.terminal.id))


def on_board(board: BlankBoard, name: str) -> bytes:
    link = Link(board.port)
    try:
        return link.read(f"{data.mounted(link)}/{name}")
    finally:
        link.close()


def check_key(board: BlankBoard, work: Work) -> str:
    """The key on the board is the one that the enrolment brings to the gateway; no file of the laptop shows it."""
    found = signed.parse(work.file("enrolment.json").read_bytes())
    body = signed.verify(found, commissioning.ENROLMENT, {"li.wei": SIGNER.key.public_key()})
    key = json.loads(on_board(board, "key"))
    sealed = bytes.fromhex(body["sealed_key"])
    assert sealing.unseal(sealed, GATEWAY, work.terminal.id, key["generation"]).hex() == key["secret"]
    for file in filter(Path.is_file, work.folder.iterdir()):
        assert key["secret"].encode() not in file.read_bytes(), file
    return str(key["secret"])


def test_a_cable_that_is_pulled_leaves_what_the_same_step_ends(board: BlankBoard, tmp_path: Path) -> None:
    """P-308: and each try draws another key, whose enrolment was on the disk before the board had it."""
    work = work_of(tmp_path, board)
    seen = set()
    for count in (600, 1300, 1800, 2300):  # in the link's own code, and in three files
        board.unplug_after(count)
        cut = provisioned(replace(work, port=board.port))
        assert (cut.state, cut.findings[0].code, cut.exit_status) == ("failed", "no_answer", 3)
        board.plug()
    for _ in range(2):
        done = provisioned(replace(work, port=board.port))
        assert done.state == "passed", done
        seen.add(check_key(board, work))
        assert done.data["enrolment"] == commissioning.digest(
            signed.parse(work.file("enrolment.json").read_bytes()).body
        )
    assert len(seen) == 2
    found = config.check(json.loads(on_board(board, "terminal.json")))
    assert (found.terminal, [one.name for one in found.points]) == ("T0001", ["furnace", "scrubber fan"])
    assert json.loads(on_board(board, "network.json")) == {"ssid": "plant", "password": "secret of the plant"}


def test_a_key_has_the_generation_that_is_said_or_that_of_before(board: BlankBoard, tmp_path: Path) -> None:
    """P-308"""
    work = work_of(tmp_path, board)
    kept = session.begun(work.file("session.json"), "T0001")
    for said, generation in ((None, 1), (2, 2), (None, 2)):
        again = replace(work, port=board.port, generation=said, erase=True)
        assert steps.attempt(STEP, again, kept).state == "passed"
        assert json.loads(on_board(board, "key"))["generation"] == generation
    check_key(board, work)


def test_another_terminals_board_is_not_taken_unless_its_data_may_go(board: BlankBoard, tmp_path: Path) -> None:
    """P-308"""
    (tmp_path / "first").mkdir()
    assert provisioned(work_of(tmp_path / "first", board)).state == "passed"
    link = Link(board.port)
    folder = data.mounted(link)
    link.write(f"{folder}/log/0001", b"records that nobody has yet")
    link.close()
    work = work_of(tmp_path, board, "T0009")
    refused = provisioned(work)
    assert (refused.findings[0].code, refused.exit_status) == ("other_terminal", 4)
    assert not work.file("enrolment.json").exists()
    assert on_board(board, "log/0001") == b"records that nobody has yet"
    assert provisioned(replace(work, erase=True)).state == "passed"
    check_key(board, work)
    link = Link(board.port)
    left = link.digests(data.mounted(link))
    link.close()
    assert sorted(left) == [f"{folder}/{name}" for name in ("key", "network.json", "terminal.json")]
