"""A platform as a channel: the real sink's thread, and the platform as a process of its own."""

import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config import Hj212Config, VerifyConfig
from gateway.forward import kinds, log_texts, outbox
from gateway.forward.log_texts import LogText, State
from gateway.forward.runner import SinkRunner
from gateway.hj212.times import data_time
from gateway.journal.journal import Journal
from gateway.metrics import Metrics
from gateway.watch.dispatch import dispatcher as dispatchers
from gateway.watch.dispatch import platform_log
from gateway.watch.dispatch.channels import Channels, Hj212Entry
from gateway.watch.dispatch.dispatcher import Dispatcher
from gateway.watch.dispatch.message import Message, document
from gateway.watch.dispatch.platform_log import PlatformLog
from gateway.watch.dispatch.post import GIVEN_UP, Post
from gateway.watch.dispatch.sender import REFUSED, UNREACHABLE, ChangesRefusedError
from gateway.watch.enterprises import Enterprise, Linkage, PointId
from gateway.watch.store import Row
from hil.ports import free_port
from tests.gateway.forward.platform_process import MN, PlatformProcess
from tests.gateway.forward.stations import HEAD_2017, ITEMS_2017
from tests.gateway.support import NOW_S, Sender, StillClock, wait_until
from tests.gateway.watch.dispatch.world import Alarms
from tests.gateway.watch.plant import configured

NOW_MS, BOTH = NOW_S * 1000, ("T0001", "T0009")  # one that is a station, one that is none
CHANNEL = Hj212Entry(name="regulator", sink="province")
LINE = Linkage(
    "line 1",
    (PointId("T0009", 1), PointId("T0001", 1)),
    (PointId("T0001", 2),),
    100,
    100,
    100,
    needs_all=True,
    start_slots=1,
    run_on_slots=0,
)
PLANT = [Enterprise("E1", "第一钢铁&&厂", (LINE, LINE._replace(name="line 2"), LINE._replace(name="line 3")), ())]
PLATFORM_TOML = 'log_id = "i21001"\nrestarts = false\n' + HEAD_2017 + ITEMS_2017


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatchers, "RETRY_MIN_MS", 10)
    monkeypatch.setattr(dispatchers, "RETRY_MAX_MS", 50)
    monkeypatch.setattr(platform_log, "LOOK_EVERY_S", 0.02)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform_log, "TIMEOUT_S", 0.3)


@contextmanager
def sink(folder: Path, port: int, mapping: str = PLATFORM_TOML) -> Iterator[None]:
    """The sink's thread, as the gateway runs it."""
    (folder / "platform.toml").write_text(mapping)
    config = Hj212Config(
        name="province", host="127.0.0.1", port=port, mapping=str(folder / "platform.toml"),
        answer_timeout_ms=300, reconnect_min_ms=10, reconnect_max_ms=50,
    )  # fmt: skip
    Journal(folder, VerifyConfig()).close()
    metrics, log = Metrics(), structlog.wrap_logger(structlog.PrintLogger(io.StringIO()))
    runner = SinkRunner(
        config, kinds.load(config, None).make(folder, StillClock(), metrics), folder, StillClock(), metrics, log
    )
    runner.start()
    try:
        yield
    finally:
        runner.stop()


def test_each_change_is_a_log_text_of_the_linkages_station_once(tmp_path: Path, impatient: None) -> None:
    """P-372: also of a gateway that was down when it was told, twice; the channel says so meanwhile."""
    platform, said = PlatformProcess(tmp_path), list[tuple[str, str]]()
    alarms = Alarms(tmp_path)
    dispatcher = Dispatcher(tmp_path, Channels((CHANNEL,)), StillClock(), PLANT, lambda *one: said.append(one[:2]))
    with platform.process, closing(alarms), closing(dispatcher):
        dispatcher.start()
        for told, names in ((1, ["line 1"]), (3, ["line 2", "line 3"])):
            alarms.begin(*names)
            dispatcher.note()
            wait_until(lambda: said[-1:] == [("regulator", UNREACHABLE)])
            with sink(tmp_path, platform.port):
                wait_until(lambda told=told: _standing(tmp_path) == (told, 0))  # type: ignore[misc]
            wait_until(lambda: said[-1] == ("regulator", ""))
        ledger = platform.ledger()
    assert (ledger.counts.log_texts, ledger.counts.qn_reused) == (3, 0)
    span = "2026-03-01 07:45至2026-03-01 08:00"
    assert [text for _, _, text in ledger.log_texts] == [
        f"//报警开始：第一钢铁＆＆厂：line {number}：生产开、治污停，{span}，报警编号 {number}//"
        for number in (1, 2, 3)
    ]
    assert [(mn, time) for mn, time, _ in ledger.log_texts] == [(MN, data_time(NOW_S + later)) for later in range(3)]


def _standing(folder: Path) -> tuple[int, int]:
    with closing(Post(folder)) as post:
        standing = post.standing(CHANNEL)
    return standing.told, standing.waiting


def test_an_alarm_of_no_station_is_refused_and_one_of_a_terminal_is_its_stations(tmp_path: Path) -> None:
    """P-372: what a linkage, a terminal and two points are told as; of a digest those that can be."""
    platform = PlatformProcess(tmp_path)
    sender = PlatformLog(CHANNEL, tmp_path, PLANT)

    def send(number: int, kind: str, subject: str) -> None:
        row = Row(number, "E1", subject, kind, NOW_S - 900, NOW_S, {"pending": 7}, "open", 0, 0)
        sender.send(Message(f"m{number}", [document(f"m{number}", "begun", NOW_MS, row, "", 8)]))

    with platform.process, sink(tmp_path, platform.port):
        send(1, "log_filling", "T0001")
        send(2, "alike", "T0001/1 T0001/2")
        for subject, kind in (("T0009", "silent"), ("line 9", "treatment_off")):
            with pytest.raises(ChangesRefusedError, match="none of its terminals is a station"):
                send(3 if kind == "silent" else 4, kind, subject)
        texts = [text for _, _, text in platform.ledger().log_texts]
        rows = [Row(9 + at, "E1", name, "silent", NOW_S - 900, NOW_S, {}, "open", 0, 0) for at, name in enumerate(BOTH)]
        with pytest.raises(ChangesRefusedError) as partly:
            sender.send(Message("m9", [document(f"m{one.id}", "begun", NOW_MS, one, "", 8) for one in rows]))
        assert partly.value.reasons == {"m10": "none of its terminals is a station"}
        assert platform.ledger().counts.log_texts == 3
    assert len(texts) == 2
    assert "E1：T0001：终端积压数据过多" in texts[0]
    assert "积压 7" in texts[0]
    assert "T0001／1 T0001／2" in texts[1]


def test_what_can_never_be_told_is_given_up_at_once_with_why(tmp_path: Path) -> None:
    """P-440: no second try, and an alarm's page says it; the channel is well."""
    platform, said = PlatformProcess(tmp_path), list[tuple[str, str]]()
    dispatcher = Dispatcher(tmp_path, Channels((CHANNEL,)), StillClock(), PLANT, lambda *one: said.append(one[:2]))
    without = PLATFORM_TOML.replace('log_id = "i21001"\n', "")
    with platform.process, closing(Alarms(tmp_path)) as alarms, closing(dispatcher):
        with sink(tmp_path, platform.port, without):
            alarms.begin("line 1")
            dispatcher.note()
            dispatcher.start()
            with closing(Post(tmp_path)) as post:
                wait_until(lambda: post.standing(CHANNEL).given_up == 1)
                (fate,) = post.fates([CHANNEL], 1)
        assert (fate.state, fate.reason, fate.detail) == (GIVEN_UP, REFUSED, "the mapping has no log_id")
        assert (said, platform.ledger().counts.log_texts) == ([], 0)


def test_without_its_channel_the_watch_has_nothing_told(tmp_path: Path) -> None:
    """P-436: from the watch's next start on; what another channel has told goes on."""
    config = configured(tmp_path, Sender())
    (tmp_path / "data").mkdir()
    sinks = '[[sink]]\nname = "province"\nkind = "hj212"\nhost = "127.0.0.1"\nport = 9\nmapping = "platform.toml"\n'
    config.write_text('channels = "channels.toml"\n' + config.read_text() + sinks)
    (tmp_path / "platform.toml").write_text(PLATFORM_TOML)
    (tmp_path / "channels.toml").write_text('[[channel]]\nname = "office"\nkind = "hj212"\nsink = "province"\n')
    Journal(tmp_path / "data", VerifyConfig()).close()
    with closing(outbox.writable(outbox.file_of(tmp_path / "data", "province"))) as connection:
        for name in ("regulator", "office"):
            log_texts.tell(connection, name, [LogText(name, None, NOW_S, "x")])
        done = CliRunner().invoke(app, ["watch", "--once", "--config", str(config)])
        assert done.exit_code == 0, done.output
        found = log_texts.states(connection, ["regulator", "office"])
    assert found == [State(log_texts.REFUSED, log_texts.NO_CHANNEL), State(log_texts.WAITING, "")]


def test_a_text_of_long_names_is_told_within_the_standards_length(tmp_path: Path) -> None:
    """P-371: 890 bytes, HJ 212-2017 table 9."""
    long = "很长" * 200
    line, platform = LINE._replace(name=long), PlatformProcess(tmp_path)
    sender = PlatformLog(CHANNEL, tmp_path, [Enterprise("E1", long, (line,), ())])
    facts = {"production_w": 10**12, "treatment_w": 10**12}
    row = Row(10**9, "E1", long, "order_broken", NOW_S - 900, NOW_S, facts, "open", 0, 0)
    with platform.process, sink(tmp_path, platform.port):
        sender.send(Message("m", [document("m", "withdrawn", NOW_S * 1000, row, long, 8)]))
        ((_, _, text),) = platform.ledger().log_texts
    assert text.endswith(f"报警编号 {10**9}//")


def test_the_channel_is_tried_by_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-372: `channels test` ends with 0 when the platform has answered, with 1 and the sink's reason when not."""
    config, platform = configured(tmp_path, Sender()), PlatformProcess(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "platform.toml").write_text(PLATFORM_TOML)
    sinks = platform.sink().replace(str(platform.port), str(free_port()))
    config.write_text('channels = "channels.toml"\n' + config.read_text() + sinks)
    (tmp_path / "channels.toml").write_text('[[channel]]\nname = "regulator"\nkind = "hj212"\nsink = "province"\n')

    def said() -> tuple[int, str]:
        done = CliRunner().invoke(app, ["channels", "test", "regulator", "--config", str(config)])
        return done.exit_code, done.output

    with platform.process:
        with monkeypatch.context() as patch:
            patch.setattr(platform_log, "TIMEOUT_S", 0.1)
            status, text = said()
        assert (status, "not started" in text, "the text waits there" in text) == (1, True, True), text
        with sink(tmp_path / "data", platform.port):
            assert said()[0] == 0
        assert [text for _, _, text in platform.ledger().log_texts] == ["//通道测试，并非报警//"] * 2
