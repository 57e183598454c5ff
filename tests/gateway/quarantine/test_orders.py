"""Replay and discard: by the running gateway, and without one."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config import QuarantineConfig
from gateway.database import StoreUnavailableError
from gateway.journal.reader import Reader
from gateway.quarantine import orders
from gateway.quarantine.orders import Done, Inbox, Order, Work
from gateway.quarantine.quarantine import Quarantine, QuarantineReader, Refused
from hil.broker import Broker
from protocol.host import pulled
from tests.gateway.support import NOW_S, Device, Running, Sender, window, write_config, write_key

STRANGER = Sender("T0009", b"s" * 32)


def run(config: Path, *words: str) -> tuple[int, str]:
    answer = CliRunner().invoke(app, [*words, "--config", str(config)])
    return answer.exit_code, answer.stdout + answer.stderr


def run_json(config: Path, *words: str, status: int = 0) -> Any:
    answer = CliRunner().invoke(app, [*words, "--config", str(config), "--json"])
    assert answer.exit_code == status, answer.output
    return json.loads(answer.stdout)


def admit(config: Path) -> None:
    write_key(config.parent / "T0009.hex", STRANGER.secret)
    assert run(config, "admit", "T0009", "--key-file", "T0009.hex", "--point", "1:fan:treatment")[0] == 0


def counts(config: Path) -> dict[str, int]:
    store = QuarantineReader(config.parent / "data")
    found = store.counts()
    store.close()
    return found


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Frames of a terminal that was not admitted, one of them damaged, and one that was cut when it was kept."""
    path = write_config(tmp_path, 1883, [Sender()])
    good = [STRANGER.frame([window(1, NOW_S - 1800), window(2)]), STRANGER.frame([window(3, NOW_S - 2700)])]
    bad, long = good[0][:-1] + bytes([good[0][-1] ^ 1]), bytes(4097)
    store = Quarantine(tmp_path / "data", QuarantineConfig())
    refused = [Refused(NOW_S * 1000, "T0009", "wattline/up/T0009", "terminal", 0, len(data), data) for data in good]
    store.add([*refused, refused[0]._replace(data=bad, length=len(bad)), refused[0]._replace(data=long, length=9000)])
    store.add([Refused(NOW_S * 1000, "", "x", "topic", 0, 1, b"\0")])
    store.close()
    return path


def test_offline_replay_takes_what_is_admitted_now_and_leaves_the_rest_as_evidence(config: Path) -> None:
    """P-42"""
    assert run_json(config, "quarantine", "replay", "--all-of", "terminal", status=1) == {
        "by": "this command", "taken": 0, "refused": 3, "discarded": 0, "gone": 0, "cut": 1,
    }  # fmt: skip
    assert counts(config) == {"terminal": 4, "topic": 1}  # as they were: ids, times and all
    assert run_json(config, "quarantine", "show", "1")["received"] == "2026-03-01T00:00:00Z"
    admit(config)
    done = run_json(config, "quarantine", "replay", "--all-of", "terminal", status=1)
    assert (done["taken"], done["refused"], done["cut"]) == (2, 1, 1)
    assert counts(config) == {"terminal": 1, "mac": 1, "topic": 1}  # the damaged one now has a better reason
    reader = Reader(config.parent / "data")
    assert sorted(one.seq for one in reader.records_after(0, 10)) == [1, 2, 3]
    reader.close()


def test_ids_that_are_gone_and_wrong_usage_are_said(config: Path) -> None:
    assert run_json(config, "quarantine", "replay", "99", status=1)["gone"] == 1
    assert run(config, "quarantine", "replay")[0] == 2
    assert run(config, "quarantine", "discard", "1", "--all-of", "mac")[0] == 2
    assert run(config, "quarantine", "replay", "5")[0] == 1  # its topic named no terminal


def test_discard_forgets_for_good_and_the_bounds_are_kept_after_it(config: Path) -> None:
    assert run_json(config, "quarantine", "discard", "1", "3")["discarded"] == 2
    assert run_json(config, "quarantine", "discard", "--all-of", "terminal")["discarded"] == 2
    assert counts(config) == {"topic": 1}
    store = Quarantine(config.parent / "data", QuarantineConfig(max_frames=4))
    store.add([Refused(0, "T1", "", "mac", 0, 1, b"a"), Refused(0, "T2", "", "mac", 0, 1, b"b")])
    store.remove([number for number in range(20) if number != 5])
    assert store.add([Refused(0, "T1", "", "mac", 0, 1, b"a")] * 5) == 2
    assert store.size == (4, 4)
    store.close()


def test_a_running_gateway_replays_what_is_ordered_and_acknowledges_it(
    tmp_path: Path, broker: Broker, start: Callable[[Path], Running], device: Callable[..., Device]
) -> None:
    """P-42"""
    config = write_config(tmp_path, broker.port, [Sender()])
    running, terminal = start(config), device("T0009")
    terminal.publish("T0009", STRANGER.frame([window(1)]))
    assert run_json(config, "quarantine", "replay", "1", status=1)["refused"] == 1
    admit(config)
    running.reload.set()
    done = run_json(config, "quarantine", "replay", "--all-of", "terminal")
    assert (done["by"], done["taken"], done["refused"]) == ("running gateway", 1, 0)
    assert STRANGER.open_ack(terminal.down(1)[0]).durable == [(1, 1)]
    assert counts(config) == {}
    assert not list((tmp_path / "data" / orders.FOLDER).iterdir())
    assert run_json(config, "quarantine", "discard", "--all-of", "terminal")["discarded"] == 0
    code, said = run(config, "quarantine", "discard", "1", "--wait", "0")
    assert (code, "not done within 0 s" in said) == (1, True)


def test_a_running_gateway_takes_frames_from_a_file(
    tmp_path: Path, broker: Broker, start: Callable[[Path], Running]
) -> None:
    """P-289: more than one order holds; a stranger's is refused and kept."""
    config = write_config(tmp_path, broker.port, [Sender()])
    start(config)
    sender, file = Sender(), tmp_path / "T0001.frames"
    frames = [sender.frame([window(seq, NOW_S - 900 * (seq + 1))]) for seq in range(1, orders.FRAMES_AN_ORDER + 10)]
    lines = [pulled.line(pulled.Pulled("T0001", one)) for one in frames]
    file.write_bytes(b"".join([*lines, pulled.line(pulled.Pulled("T0009", STRANGER.frame([window(1)])))]))
    done = run_json(config, "take", str(file), status=1)
    assert (done["by"], done["taken"], done["refused"]) == ("running gateway", len(frames), 1)
    assert counts(config) == {"terminal": 1}


class Store:
    """A data_dir with frames of one byte, and what was replayed of them."""

    def __init__(self, folder: Path, frames: int) -> None:
        self.folder, self.replayed, self.now_s = folder, [0], 0.0
        self.quarantine = Quarantine(folder, QuarantineConfig())
        self.quarantine.add([Refused(0, "T1", "", "mac", 0, 2, number.to_bytes(2)) for number in range(frames)])
        self.inbox = Inbox(folder, self.quarantine, self.replay, lambda: self.now_s)

    def replay(self, frames: Sequence[Refused]) -> None:
        self.replayed[0] += len(frames)

    def work(self, do: Any, **values: Any) -> Done | None:
        """Step until it is done; None if that takes more than 1,000 steps."""
        orders.place(self.folder, Order(do, **values))
        for _ in range(1000):
            self.now_s += 0.1
            if done := self.inbox.step():
                return done
        return None


def test_an_order_is_carried_out_some_frames_at_a_time(tmp_path: Path) -> None:
    store = Store(tmp_path, 250)
    orders.place(tmp_path, Order("replay", [], "mac", 230))
    sizes = []
    for _ in range(8):
        before = store.replayed[0]
        store.now_s += 1
        store.inbox.step()
        sizes.append(store.replayed[0] - before)
    assert sizes == [100, 100, 30, 0, 0, 0, 0, 0]
    assert store.quarantine.size[0] == 20
    store.inbox.close()
    store.quarantine.close()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"do":"burn"}', b'{"do":"replay","more":1}', b"x" * 2_000_000])
def test_a_file_that_is_no_order_is_set_aside_and_the_next_is_done(tmp_path: Path, content: bytes) -> None:
    store = Store(tmp_path, 3)
    (tmp_path / orders.FOLDER).mkdir()
    (tmp_path / orders.FOLDER / "0.order").write_bytes(content)
    assert store.work("discard", ids=[1, 2]) == Done(discarded=2)
    assert (tmp_path / orders.FOLDER / "0.wrong").exists()
    store.quarantine.close()


def test_an_order_begun_before_a_crash_or_a_failing_disk_is_carried_out_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, fails, remove = Store(tmp_path, 300), [3], Quarantine.remove

    def failing(self: Quarantine, ids: Sequence[int]) -> int:
        fails[0] -= 1
        if fails[0] in {0, 1}:
            raise StoreUnavailableError("full")
        return remove(self, ids)

    monkeypatch.setattr(Quarantine, "remove", failing)
    assert store.work("discard", reason="mac", up_to=300) is not None
    assert store.quarantine.size == (0, 0)
    work = Work(Order("discard", [1]), tmp_path, store.quarantine, store.replay)
    assert (work.step(), work.step(), work.done) == (True, False, Done(gone=1))
    work.close()
    store.quarantine.close()
