"""What others said, as an operator's terminal gets it."""

import io
import json
import unicodedata
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gateway.cli import app
from gateway.cli_common import line_text
from gateway.config import QuarantineConfig
from gateway.console.audit import Audit, Entry
from gateway.forward.outbox import Outbox
from gateway.logs import make_logger
from gateway.quarantine.quarantine import Quarantine, Refused
from gateway.watch.dispatch.post import Post
from gateway.watch.finding import Finding
from gateway.watch.store import Known, Look, Progress, Step, Store
from protocol.host.printable import printable, printable_json
from tests.gateway.support import NOW_S, Sender, StillClock, write_config

STEERS = "\x1b]0;all is well\x07\x9b2J\u202e\n\r"
CAN_STEER = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(st.text(st.characters()))
def test_nothing_that_steers_is_left_and_json_means_the_same(text: str) -> None:
    """P-507"""
    as_json, as_line = printable_json({text: [text]}), line_text({"reason": text})  # `status` tells by that
    assert not {unicodedata.category(char) for char in printable(text) + as_json + as_line} & CAN_STEER
    assert json.loads(as_json) == {text: [text]}


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_can_be_read_is_left_as_it_is(text: str) -> None:
    """P-507"""
    assert printable(text) == text


def test_a_log_is_read_in_a_terminal_too() -> None:
    """P-507: what a broker, a stream or a platform gives as the reason of its refusal."""
    log = io.StringIO()
    make_logger(StillClock(), log).warning("connect_failed", reason=STEERS, file=Path("a"))
    (line,) = log.getvalue().splitlines()
    assert not {unicodedata.category(char) for char in line} & CAN_STEER
    assert json.loads(line)["reason"] == STEERS


@pytest.mark.parametrize("words", ["quarantine show 1", "console-audit", "alarms show 1"])
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_what_anybody_said_cannot_steer_the_terminal_of_who_looks(tmp_path: Path, words: str, more: list[str]) -> None:
    """P-507: a topic of anybody's at the broker; a change that a user asked for; a note about an alarm."""
    config, data = write_config(tmp_path, 1883, [Sender()]), tmp_path / "data"
    with closing(Quarantine(data, QuarantineConfig())) as quarantine:
        quarantine.add([Refused(NOW_S * 1000, "", f"wattline/up/{STEERS}", "topic", 0, 1, b"\0")])
    with closing(Audit(data)) as audit:
        audit.add(Entry(NOW_S * 1000, "wang", "127.0.0.1", f"POST /api/alarms/{STEERS}/steps", STEERS, 404))
    with closing(Store(data)) as store:
        found = Finding("frozen", NOW_S, NOW_S + 900)
        store.take([Look("", "T0001/1", ("frozen",), [found], NOW_S, NOW_S + 900)], Known(Progress(0, 0)), NOW_S * 1000)
        store.step(1, Step(NOW_S * 1000, "acknowledged", "wang", STEERS))
    said = CliRunner().invoke(app, [*words.split(), "--config", str(config), *more])
    assert said.exit_code == 0, said.output
    assert "u202e" in said.stdout, "it is told, only not as it is"
    assert not {unicodedata.category(char) for char in said.stdout.replace("\n", "")} & CAN_STEER


@pytest.mark.parametrize("words", ["refused province", "channels list"])
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_what_a_platform_or_a_receiver_answered_cannot_either(tmp_path: Path, words: str, more: list[str]) -> None:
    """P-507: why a record was refused, and its packet; why an alarm was."""
    config, data = write_config(tmp_path, 1883, [Sender()]), tmp_path / "data"
    sink = '[[sink]]\nname = "province"\nkind = "mqtt"\nhost = "127.0.0.1"\n'
    config.write_text(f'channels = "channels.toml"\n{config.read_text()}\n{sink}')
    (tmp_path / "channels.toml").write_text('[[channel]]\nname = "scada"\nkind = "mqtt"\nhost = "127.0.0.1"\n')
    data.mkdir(exist_ok=True)
    with closing(Outbox(data, "province")) as outbox:
        row = (1, "refused", STEERS, STEERS.encode())
        outbox._connection.execute("INSERT INTO dead (record, reason, detail, packet) VALUES (?, ?, ?, ?)", row)
    with closing(Post(data)) as post:
        post.begin(["scada"], NOW_S * 1000)
        post._set_health("scada", "refused", STEERS, NOW_S * 1000)
    said = CliRunner().invoke(app, [*words.split(), "--config", str(config), *more])
    assert "u202e" in said.stdout, said.output
    assert not {unicodedata.category(char) for char in said.stdout.replace("\n", "")} & CAN_STEER
