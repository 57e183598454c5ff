"""`wattline gateway refused` on the file of a real sink."""

import json
from pathlib import Path

from typer.testing import CliRunner

from gateway.cli import app
from gateway.forward.log_texts import LogText
from gateway.forward.text_packets import NO_LOG_ID, REASONS
from protocol import record
from tests.gateway.forward.platform_double import PlatformDouble
from tests.gateway.forward.stations import PW, Station, mapping
from tests.gateway.forward.texts import LOG, SINK, tell
from tests.gateway.support import NOW_S, Sender, event, write_config

SECTION = '[[sink]]\nname = "s"\nkind = "hj212"\nhost = "127.0.0.1"\nport = 9\nmapping = "platform.toml"\n'


def show(config: Path, *options: str) -> list[str]:
    done = CliRunner().invoke(app, ["refused", "s", "--config", str(config), *options])
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def test_an_operator_sees_each_that_was_refused_with_its_packet_and_no_password(tmp_path: Path) -> None:
    """P-442: an event that is a dead letter, a text that was under way, one that never had a packet."""
    config, data = write_config(tmp_path, 1, [Sender()], SECTION), tmp_path / "data"
    data.mkdir()
    (tmp_path / "platform.toml").write_text(SINK)
    assert show(config) == []
    platform = PlatformDouble()
    platform.answers = False
    station = Station(data, mapping(tmp_path, SINK), platform)
    tell(station, LogText("change.1", ["T0001"], NOW_S, "报警 1"))
    station.commit([event(1, NOW_S - 890, code=record.METER_SILENT, point=1)])
    station.steps(1)
    station.close()
    station = Station(data, mapping(tmp_path, SINK.removeprefix(LOG)), platform)
    tell(station, LogText("change.2", ["T0001"], NOW_S, "报警 2"))
    station.steps(1)
    station.close()
    found = [json.loads(line) for line in show(config, "--json")]
    why = REASONS[NO_LOG_ID]
    assert [(one["record"], one["id"], one["reason"], one["detail"]) for one in found] == [
        (1, "", NO_LOG_ID, why),
        (None, "change.2", "log_text", "the mapping has no log_id"),
        (None, "change.1", "log_text", why),
    ]
    assert ["电表通讯中断" in found[0]["packet"], found[1]["packet"], "报警 1" in found[2]["packet"]] == [
        True,
        "",
        True,
    ]
    plain = "\n".join(show(config))
    assert (PW in plain, PW in str(found), plain.count("PW=******"), "报警 2" in plain) == (False, False, 2, True)
    assert len(show(config, "--limit", "1")) == 2
