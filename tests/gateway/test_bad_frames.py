"""Bad input from the broker: quarantined with bytes and reason, counted, PUBACKed; neighbours are unharmed."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.journal.reader import Reader
from gateway.quarantine.quarantine import Kept, QuarantineReader
from gateway.verify import YEAR_2020_S
from hil.broker import Broker
from protocol import ack, cbor, mac
from protocol.record import LOG_PUT_BACK, LOG_RENUMBERED
from tests.gateway.support import NOW_S, Device, Running, Sender, event, reading, window, write_config

SENDER = Sender()
GOOD = SENDER.frame([window(1)])


def of_version(version: int) -> bytes:
    """A frame as a terminal of another version would send it, authentic in all else."""
    payload = cbor.array([cbor.integer(version), cbor.integer(1)])
    return mac.seal(SENDER.key, mac.external_aad("T0001", 0, version), payload)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


BAD = {
    "cut short": (GOOD[:-1], "truncated"),
    "empty": (b"", "truncated"),
    "altered": (flipped(GOOD, 60), "mac"),
    "of another terminal": (Sender("T0002", b"o" * 32).frame([window(1)]), "mac"),
    "of an unknown version": (of_version(2), "version"),
    "of an unknown key": (Sender(generation=9).frame([window(1)]), "kid"),
    "too large": (GOOD + bytes(5000), "oversize"),
    "with trailing bytes": (GOOD + b"\x00", "trailing"),
    "with a key twice": (GOOD.replace(b"\xa2\x01\x05\x04\x41\x01", b"\xa2\x01\x05\x01\x41\x01"), "duplicate_key"),
    "with another algorithm": (GOOD.replace(b"\xa2\x01\x05", b"\xa2\x01\x04"), "algorithm"),
    "of valid CBOR that is not ours": (b"\xa1\x01\x02", "tag"),
    "of text": (b'{"p": 4000}', "tag"),
}


def kept(folder: Path, count: int) -> list[Kept]:
    """What quarantine holds, oldest first, once it holds so many."""
    found: list[Kept] = []
    deadline = time.monotonic() + 60
    while len(found) < count and time.monotonic() < deadline:
        time.sleep(0.02)
        store = QuarantineReader(folder / "data")
        found = list(store.newest(1000))[::-1]
        store.close()
    assert len(found) >= count
    return found


@pytest.fixture
def gateway(tmp_path: Path, broker: Broker, start: Callable[[Path], Running]) -> Running:
    return start(write_config(tmp_path, broker.port, [SENDER]))


def test_each_bad_frame_is_quarantined_with_its_reason_and_neighbours_pass(
    tmp_path: Path, gateway: Running, device: Callable[..., Device]
) -> None:
    """S-04, S-05: pinned algorithm, no frame under another terminal's topic; each counted by its reason."""
    terminal = device()
    for number, (data, _) in enumerate(BAD.values(), start=1):
        terminal.publish("T0001", data)
        terminal.publish("T0001", SENDER.frame([window(number, NOW_S - 900 * (50 - number))]))
    answers = [SENDER.open_ack(data) for data in terminal.down(1)]
    found = kept(tmp_path, len(BAD))
    assert [one.refused.reason for one in found] == [reason for _, reason in BAD.values()]
    for one, (data, reason) in zip(found, BAD.values(), strict=True):
        assert one.refused.data == data[:4097]
        assert one.refused.length == len(data)
        assert gateway.metric("wattline_frames_refused_total", reason=reason) >= 1
    assert gateway.metric("wattline_frames_total", result="refused") == len(BAD)
    assert gateway.metric("wattline_broker_disconnects_total") == 0
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and Reader(tmp_path / "data").counts()["windows"] < len(BAD):
        time.sleep(0.02)
    assert Reader(tmp_path / "data").counts()["windows"] == len(BAD)
    assert all(one.refused == [] for one in answers)


def test_a_frame_refused_before_authentication_gets_no_ack_and_the_broker_lets_go(
    tmp_path: Path, gateway: Running, start: Callable[[Path], Running], device: Callable[..., Device]
) -> None:
    terminal = device()
    for data, _ in BAD.values():
        terminal.publish("T0001", data)
    kept(tmp_path, len(BAD))
    terminal.publish("T0001", SENDER.frame([window(1)]))
    assert len(terminal.down(1)) == 1
    gateway.stop()
    start(tmp_path / "gateway.toml")  # the same session: the broker would send again what was not PUBACKed
    terminal.publish("T0001", SENDER.frame([window(2)]))
    assert len(terminal.down(2)) == 2
    assert len(kept(tmp_path, len(BAD))) == len(BAD)


def test_a_name_that_is_no_terminal_is_quarantined_by_topic(
    tmp_path: Path, gateway: Running, device: Callable[..., Device]
) -> None:
    device().publish("no terminal!", GOOD)
    (one,) = kept(tmp_path, 1)
    assert (one.refused.reason, one.refused.source) == ("topic", "")
    assert one.refused.topic == "wattline/up/no terminal!"


def test_a_terminal_that_is_not_known_is_listed_and_taken_once_admitted(
    tmp_path: Path, broker: Broker, gateway: Running, device: Callable[..., Device]
) -> None:
    """P-37."""
    stranger = Sender("T0009", b"s" * 32)
    terminal = device("T0009")
    terminal.publish("T0009", stranger.frame([window(1)]))
    (one,) = kept(tmp_path, 1)
    assert (one.refused.reason, one.refused.source) == ("terminal", "T0009")
    store = QuarantineReader(tmp_path / "data")
    assert [each.source for each in store.unknown()] == ["T0009"]
    write_config(tmp_path, broker.port, [SENDER, stranger])
    gateway.reload.set()
    deadline = time.monotonic() + 60
    while gateway.metric("wattline_terminals_admitted") < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    terminal.publish("T0009", stranger.frame([window(1)]))
    assert stranger.open_ack(terminal.down(1)[0]).durable == [(1, 1)]


def test_a_conflict_is_refused_for_good_kept_as_evidence_and_raises_an_alarm(
    tmp_path: Path, gateway: Running, device: Callable[..., Device]
) -> None:
    """S-07: two records under one identity, both kept."""
    terminal = device()
    forged = SENDER.frame([window(1, readings=[reading(p_mean_w=4001)])])
    terminal.publish("T0001", SENDER.frame([window(1)]))
    terminal.down(1)
    terminal.publish("T0001", forged)
    second = SENDER.open_ack(terminal.down(2)[1])
    assert (second.durable, second.refused) == ([], [(1, 1, ack.REFUSED_CONFLICT)])
    (one,) = kept(tmp_path, 1)
    assert (one.refused.reason, one.refused.data) == ("conflict", forged)
    assert Reader(tmp_path / "data").raw(1) == window(1)
    assert gateway.metric("wattline_records_total", outcome="conflict") == 1
    assert '"alarm": true' in gateway.log.getvalue()


def test_a_terminal_whose_flash_was_put_back_raises_an_alarm_once_a_word(
    tmp_path: Path, gateway: Running, device: Callable[..., Device]
) -> None:
    """S-08: as often as its frame may come."""
    terminal = device()
    said = [event(1, code=LOG_PUT_BACK, values=[5, 9]), event(2, code=LOG_RENUMBERED, values=[6, 2]), event(3)]
    for number in range(1, 4):
        terminal.publish("T0001", SENDER.frame(said))
        terminal.down(number)
    alarms = [json.loads(line) for line in gateway.log.getvalue().splitlines() if '"alarm": true' in line]
    assert [(one["event"], one["terminal"]) for one in alarms] == [
        ("log_put_back", "T0001"),
        ("log_renumbered", "T0001"),
    ]


def test_a_record_that_cannot_be_true_is_refused_for_good_and_its_neighbour_kept(
    tmp_path: Path, gateway: Running, device: Callable[..., Device]
) -> None:
    terminal = device()
    terminal.publish("T0001", SENDER.frame([window(1, YEAR_2020_S - 1800), window(2)]))
    answer = SENDER.open_ack(terminal.down(1)[0])
    assert (answer.durable, answer.refused) == ([(2, 2)], [(1, 1, ack.REFUSED_CONTENT)])
    (one,) = kept(tmp_path, 1)
    assert one.refused.reason == "time_before_2020"
    assert gateway.metric("wattline_findings_total", check="time_before_2020", severity="refuse") == 1


def test_keys_are_never_written_anywhere(
    tmp_path: Path, gateway: Running, device: Callable[..., Device], capfd: pytest.CaptureFixture[str]
) -> None:
    """P-36."""
    terminal = device()
    for data, _ in BAD.values():
        terminal.publish("T0001", data)
    terminal.publish("T0001", SENDER.frame([window(1)]))
    terminal.down(1)
    kept(tmp_path, len(BAD))
    said = "".join(capfd.readouterr()) + gateway.log.getvalue() + gateway.said
    written = b"".join(file.read_bytes() for file in (tmp_path / "data").iterdir())
    for text in (SENDER.secret, SENDER.secret.hex().encode(), SENDER.secret.hex().upper().encode()):
        assert text not in written
        assert text.decode("latin-1") not in said
