"""Channels in their threads: one that is down, one that hangs, and the whole watch killed in between."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from gateway.config import VerifyConfig
from gateway.journal.journal import Journal
from gateway.watch.dispatch import dispatcher as dispatchers
from gateway.watch.dispatch.channels import AnyChannel, Channels
from gateway.watch.dispatch.dispatcher import Dispatcher
from gateway.watch.enterprises import Enterprise
from hil.ports import free_port
from tests.gateway.support import Sender, StillClock, wait_until
from tests.gateway.watch.dispatch.world import SECRET, Alarms, HttpServer, Request, http_server, webhook
from tests.gateway.watch.plant import configured
from tests.gateway.watch.running import FROM_S, powers_w, readings_of, send

SENDER = Sender()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatchers, "RETRY_MIN_MS", 10)
    monkeypatch.setattr(dispatchers, "RETRY_MAX_MS", 50)


def dispatching(folder: Path, said: list[tuple[str, str]], *channels: AnyChannel) -> Dispatcher:
    known = [Enterprise("E1", "First steelworks", (), ())]
    return Dispatcher(folder, Channels(channels), StillClock(), known, lambda *one: said.append(one[:2]))


def test_a_channel_that_was_down_is_told_all_of_it_in_order(tmp_path: Path) -> None:
    """P-255: its state is said once for as long as it lasts."""
    alarms, said, port = Alarms(tmp_path), list[tuple[str, str]](), free_port()
    names = [f"line {number}" for number in range(6)]
    with closing(alarms), closing(dispatching(tmp_path, said, webhook(tmp_path, port))) as dispatcher:
        dispatcher.start()
        for one in names:
            alarms.begin(one)
            dispatcher.note()
        wait_until(lambda: said == [("duty", "unreachable")])
        server = HttpServer(port=port)
        with closing(server):
            wait_until(lambda: len(said) == 2)
            wait_until(lambda: len(server.told()) == len(names))
        assert [one["alarm"]["subject"] for one in server.told()] == names
        assert said == [("duty", "unreachable"), ("duty", "")]


def test_a_channel_that_hangs_delays_no_other(tmp_path: Path) -> None:
    """P-255."""
    alarms, go = Alarms(tmp_path), threading.Event()

    def hang(_: Request) -> int:
        go.wait(30)
        return 204

    with closing(alarms), http_server(hang) as slow, http_server() as good:
        channels = [webhook(tmp_path, slow.port, "slow"), webhook(tmp_path, good.port, "good")]
        with closing(dispatching(tmp_path, [], *channels)) as dispatcher:
            dispatcher.start()
            for number in range(5):
                alarms.begin(f"line {number}")
                dispatcher.note()
            wait_until(lambda: len(good.told()) == 5)
            wait_until(lambda: len(slow.told()) == 1)
            go.set()
            wait_until(lambda: len(slow.told()) == 5)


def test_a_watch_that_is_killed_while_it_tells_tells_it_again_under_the_same_id(tmp_path: Path) -> None:
    """P-254: the real command, killed by its own channel's server; nothing that was confirmed comes again."""
    kill: list[int] = []

    def answer(_: Request) -> int:
        if len(server.requests) == 2:
            os.kill(kill[-1], signal.SIGKILL)
        return 204

    with http_server(answer) as server:
        config = _plant(tmp_path, server.port)
        command = [str(Path(sys.executable).with_name("wattline")), "gateway", "watch", "--config", str(config)]
        for expected in (-signal.SIGKILL, 0):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            kill.append(process.pid)
            if expected == 0:
                wait_until(lambda: len({one["id"] for one in server.told()}) >= 4 and len(server.told()) >= 5)
                process.terminate()
            assert process.wait(60) == expected
        ids = [one["id"] for one in server.told()]
        changes = [(one["alarm"]["number"], one["change"]) for one in server.told()]
    assert ids[1] == ids[2]
    assert len(set(ids)) == len(ids) - 1
    assert len(set(changes)) == len(set(ids))


def _plant(folder: Path, port: int) -> Path:
    """A plant whose treatment is off at times, and a channel to the port."""
    config = configured(folder, SENDER)
    journal = Journal(folder / "data", VerifyConfig())
    for number in range(60):
        send(journal, number, number, readings_of(powers_w(number), number), FROM_S + 900 * (number + 1))
    journal.close()
    (folder / "duty.secret").write_text(SECRET)
    (folder / "duty.secret").chmod(0o600)
    (folder / "channels.toml").write_text(
        f'[[channel]]\nname = "duty"\nkind = "webhook"\nurl = "http://127.0.0.1:{port}/"\nsecret_file = "duty.secret"\n'
        'changes = ["begun"]\n'
    )
    config.write_text('channels = "channels.toml"\n' + config.read_text())
    return config
