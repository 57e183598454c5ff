"""A follower makes of the stream the journal that one machine would have, and runs sinks and commands on it."""

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config import JetStreamConfig, QuarantineConfig, VerifyConfig
from gateway.jetstream import intake, stream
from gateway.jetstream.follower import Follower
from gateway.jetstream.intake import FollowerIntake
from gateway.jetstream.position import FILE, Position
from gateway.journal.journal import Journal
from gateway.journal.reader import Reader
from gateway.logs import make_logger
from gateway.metrics import Metrics
from gateway.pipeline import Pipeline
from gateway.quarantine.quarantine import Quarantine, QuarantineReader
from gateway.registry import Registry, Terminal
from gateway.verify import bounds_of
from hil.broker import Broker
from hil.nats import Nats
from tests.gateway.jetstream.support import client_of, config_of, count, worker, write_worker
from tests.gateway.support import (
    NOW_S,
    POINT,
    Device,
    Running,
    Sender,
    StillClock,
    accept,
    commit,
    event,
    reading,
    terminal_of,
    window,
    write_config,
)


class Following:
    """A follower without its process: takes in all that the stream has."""

    def __init__(self, folder: Path, config: JetStreamConfig, terminals: list[Terminal]) -> None:
        folder.mkdir(exist_ok=True)
        self.config, self.registry, self.metrics = config, Registry(terminals), Metrics()
        self.log = (folder / "log").open("a")
        log = make_logger(StillClock(), self.log)
        self.journal = Journal(folder, VerifyConfig())
        self.quarantine = Quarantine(folder, QuarantineConfig())
        self.now_s = 0.0
        position = Position(folder, self.journal, lambda: self.now_s)
        self.intake = FollowerIntake(config, client_of(config), position, lambda: self.now_s, self.metrics, log)
        about: dict[str, Any] = {"metrics": self.metrics, "clock": self.intake, "log": log, "stop": threading.Event()}
        verify = VerifyConfig()
        pipeline = Pipeline(self.intake, self.journal, [], self.quarantine, limits=bounds_of(verify), **about)
        self.pipeline = Follower(pipeline, verify)

    def take_all(self) -> None:
        last_seq = last_record(self.config)
        while self.intake._taken_to < last_seq:
            self.now_s += 1
            assert self.now_s < 20, self.log.name
            if batch := self.intake.take(3, 1, 0):
                self.pipeline.process(batch, self.registry)

    def close(self) -> None:
        self.intake.take(1, 0, 0)
        self.intake.stop()
        self.journal.close()
        self.quarantine.close()
        self.log.close()


def records_in(folder: Path) -> list[tuple[Any, ...]]:
    """What a journal holds, each with its bytes; not when it was received."""
    reader = Reader(folder)
    found = [(*one[1:], reader.raw(one.id)) for one in reader.records_after(0, 1 << 30)]
    reader.close()
    return found


def refused_in(folder: Path) -> list[str]:
    reader = QuarantineReader(folder)
    found = [one.refused.reason for one in reader.since(0)]
    reader.close()
    return found


def last_record(config: JetStreamConfig) -> int:
    """Where in the stream the last record's message is."""
    client = client_of(config)
    told = stream.call(client, f"STREAM.MSG.GET.{config.stream}", {"last_by_subj": f"{config.stream}.record.>"})
    client.close()
    return int(told["message"]["seq"])


def followed(folder: Path, config: JetStreamConfig, terminals: list[Terminal]) -> list[tuple[Any, ...]]:
    one = Following(folder, config, terminals)
    one.take_all()
    one.close()
    return records_in(folder)


_BASE = [
    window(1, NOW_S - 2700, [reading(e_import_wh=1_000_000)]),
    window(2, NOW_S - 1800, [reading(e_import_wh=500)]),
    window(3, NOW_S - 900, [reading(e_import_wh=1_001_000)]),
    event(4),
    event(4, NOW_S - 1),
    window(5, None),
]
_FRAMES = st.lists(st.lists(st.sampled_from(range(len(_BASE))), min_size=1, max_size=4, unique=True), max_size=8)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(_FRAMES)
def test_the_journal_made_of_the_stream_is_the_one_that_one_machine_would_have(
    nats: Nats, frames: list[list[int]]
) -> None:
    """P-224: records, bytes, marks (S-17) and places are the same, whichever worker took what."""
    config, sender = config_of(nats), Sender()
    workers = [worker(config), worker(config)]
    with tempfile.TemporaryDirectory() as name:
        sqlite = Journal(Path(name), VerifyConfig())
        for number, some in enumerate(frames):
            sealed = accept(sender, sender.frame([_BASE[one] for one in some]))
            commit(workers[number % 2], [sealed])
            commit(sqlite, [sealed])
        sqlite.close()
        for one in workers:
            one.close()
        terminal = terminal_of(sender, {1: POINT})
        expected = records_in(Path(name)) if frames else []
        assert (followed(Path(name) / "follower", config, [terminal]) if frames else []) == expected


def test_a_follower_is_made_anew_from_the_stream_also_of_terminals_that_are_gone(nats: Nats, tmp_path: Path) -> None:
    """P-225: of a lost data_dir nothing is lost; what was accepted once stays accepted."""
    config, senders = config_of(nats), [Sender(f"T{number:04d}", bytes((65 + number,)) * 32) for number in range(3)]
    journal = worker(config)
    for sender in senders:
        commit(journal, [accept(sender, sender.frame([window(1)])), accept(sender, sender.frame([event(2), event(3)]))])
    journal.close()
    terminals = [terminal_of(sender, {1: POINT}) for sender in senders]
    whole = followed(tmp_path / "first", config, terminals)
    assert len(whole) == 9
    revoked = Terminal("T0001", {}, {1: POINT}, revoked_s=NOW_S)
    other_key = terminal_of(Sender("T0002", b"z" * 32, generation=2), {1: POINT})
    assert followed(tmp_path / "second", config, [terminals[0], revoked, other_key]) == whole
    assert refused_in(tmp_path / "second") == []


def test_what_a_worker_took_by_its_clock_a_follower_takes_by_the_streams_that_is_behind(
    nats: Nats, tmp_path: Path
) -> None:
    """P-225: a record that would be too far in the future by the clock of the stream's leader."""
    config, sender = config_of(nats), Sender()
    ahead_s = (int(time.time()) // 900 + 1) * 900 + 2 * VerifyConfig().future_refuse_s
    journal = worker(config)
    commit(journal, [accept(sender, sender.frame([window(1, ahead_s)]), now_s=ahead_s + 900)])
    journal.close()
    assert [one[2] for one in followed(tmp_path / "follower", config, [terminal_of(sender, {1: POINT})])] == [1]
    assert refused_in(tmp_path / "follower") == []


def test_a_follower_goes_on_where_it_was_and_begins_anew_where_it_must(nats: Nats, tmp_path: Path) -> None:
    """P-225: a restart takes only what is new; a journal that was put back, or another stream, all of it, once."""
    config, sender, folder = config_of(nats), Sender(), tmp_path / "follower"
    journal, terminals = worker(config), [terminal_of(sender, {1: POINT})]
    commit(journal, [accept(sender, sender.frame([window(1, NOW_S - 2700)]))])
    followed(folder, config, terminals)
    shutil.copytree(folder, tmp_path / "backup")
    commit(journal, [accept(sender, sender.frame([window(2, NOW_S - 1800)]))])
    again = Following(folder, config, terminals)
    again.take_all()
    assert not again.metrics.registry.get_sample_value("wattline_records_total", {"outcome": "repeated"})
    again.close()
    for file in (tmp_path / "backup").glob("*.sqlite3*"):  # put back, but for the position
        shutil.copy(file, folder / file.name)
    assert json.loads((folder / FILE).read_bytes())["seq"] == 2
    assert [one[2] for one in followed(folder, config, terminals)] == [1, 2]
    client = client_of(config)
    stream.call(client, f"STREAM.DELETE.{config.stream}")
    client.close()
    journal.close()
    commit(journal, [accept(sender, sender.frame([window(3, NOW_S - 900)]))])
    assert [one[2] for one in followed(folder, config, terminals)] == [1, 2, 3]
    journal.close()


def test_a_gateways_data_dir_goes_on_as_a_followers(nats: Nats, tmp_path: Path) -> None:
    """P-225: from one machine to several: what was journalled before, and comes again, counts once."""
    config, sender, folder = config_of(nats), Sender(), tmp_path / "data"
    alone, journal = Journal(folder, VerifyConfig()), worker(config)
    twice = accept(sender, sender.frame([window(2, NOW_S - 1800)]))
    commit(alone, [accept(sender, sender.frame([window(1, NOW_S - 2700)])), twice])
    alone.close()
    commit(journal, [twice, accept(sender, sender.frame([window(3, NOW_S - 900)]))])
    journal.close()
    assert [one[2] for one in followed(folder, config, [terminal_of(sender, {1: POINT})])] == [1, 2, 3]


def test_what_others_put_into_the_stream_is_evidence_and_holds_up_nothing(
    nats: Nats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-226: forged, absent and foreign ones, names that are none go to quarantine; the records behind come."""
    monkeypatch.setattr(intake, "RETRY_S", 0.01)
    config, sender = config_of(nats), Sender()
    journal, client = worker(config), client_of(config)
    journal.check()
    forged, absent = b"\x01" + bytes(32) + Sender(secret=b"x" * 32).frame([window(1)]), b"\x02" + bytes(64)
    for subject, body in (
        *(("T0001.7.1", forged), ("T0001.7.2", b"hello"), ("none", b""), ("T 1.7.3", b"\x02")),
        *(("T0001.7.4", absent), ("T 1.7.4", absent), ("T0001.7.5", b"")),
    ):
        client.request(f"{config.stream}.record.{subject}".replace(" ", "$"), body)
    commit(journal, [accept(sender, sender.frame([window(9)]))])
    found = followed(tmp_path / "follower", config, [terminal_of(sender, {1: POINT})])
    assert [one[2] for one in found] == [9]
    assert sorted(refused_in(tmp_path / "follower")) == ["mac", "tag", *["topic"] * 3, *["truncated"] * 2]
    journal.close()
    client.close()


def test_sinks_and_commands_work_on_a_follower(
    tmp_path: Path, broker: Broker, nats: Nats, start: Callable[..., Running], device: Callable[..., Device]
) -> None:
    """P-227: from the terminal over a worker and the stream to a sink; status, gaps and export on the follower."""
    sender, name = Sender(), config_of(nats).stream
    configs = []
    for who in ("worker", "follower"):
        sink = f'[[sink]]\nname = "north"\nkind = "mqtt"\nhost = "127.0.0.1"\nport = {broker.port}\n'
        configs.append(write_config(tmp_path / who, broker.port, [sender], sink if who == "follower" else ""))
        write_worker(configs[-1], nats, name, who)
    start(configs[0])
    following = start(configs[1], follow=True)
    one, listener = device(), device("north")
    listener.client.subscribe("wattline/readings/#", qos=1)
    one.publish("T0001", sender.frame([window(1)]))
    one.publish("T0001", sender.frame([event(2), event(3)]))
    assert sorted(json.loads(data)["seq"] for data in listener.down(3)) == [1, 2, 3]
    assert following.metric("wattline_broker_connected") == 1
    status = CliRunner().invoke(app, ["status", "--config", str(configs[1]), "--json"])
    found = json.loads(status.stdout)
    assert (found["journal"]["windows"], found["journal"]["events"]) == (1, 2)
    assert found["stream"] == {"state": "well", "messages": 4, "replicas": 1, "current": 1}
    span = ["--from", "2026-02-28T23:45:00Z", "--to", "2026-03-01T00:00:00Z"]
    assert CliRunner().invoke(app, ["gaps", "--config", str(configs[1]), *span, "--json"]).exit_code == 0


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["gaps", "--from", "2026-02-28", "--to", "2026-03-01"], "`wattline gateway follow`"),
        (["audit"], "`wattline gateway follow`"),
        (["tail"], "`wattline gateway follow`"),
        (["configure", "T0001", "--file", "none.json"], "acks only"),
    ],
)
def test_what_a_worker_can_not_say_or_do_it_refuses(
    command: list[str], said: str, tmp_path: Path, broker: Broker, nats: Nats, start: Callable[..., Running]
) -> None:
    """P-228: a worker's commands say where the journal is; its own status says how the stream is."""
    config = write_config(tmp_path / "worker", broker.port, [Sender()])
    write_worker(config, nats, config_of(nats).stream, "worker")
    start(config)
    answer = CliRunner().invoke(app, [command[0], "--config", str(config), *command[1:]])
    assert answer.exit_code == 1
    assert said in answer.stderr


def test_a_workers_status_says_how_the_stream_is(tmp_path: Path, broker: Broker, nats: Nats) -> None:
    """P-228: without a journal here; of servers that are away it says so."""
    config = write_config(tmp_path / "worker", broker.port, [Sender()])
    asked = config_of(nats)
    write_worker(config, nats, asked.stream, "worker")
    answer = CliRunner().invoke(app, ["status", "--config", str(config), "--json"])
    assert "stream not found" in json.loads(answer.stdout)["stream"]["state"]  # nor made: who asks changes nothing
    answer = CliRunner().invoke(app, ["status", "--config", str(config)])
    assert "stream not found" in answer.stdout
    count(asked)
    answer = CliRunner().invoke(app, ["status", "--config", str(config), "--json"])
    found = {"state": "well", "messages": 0, "replicas": 1, "current": 1}
    assert json.loads(answer.stdout)["stream"] == found, answer.output
    config.write_text(config.read_text().replace(f":{nats.port}", ":1"))
    answer = CliRunner().invoke(app, ["status", "--config", str(config)])
    assert "stream: state unreachable: 127.0.0.1:1: " in answer.stdout
