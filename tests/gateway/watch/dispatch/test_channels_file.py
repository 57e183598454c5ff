"""channels.toml: refused by file and key; and the commands that list and try channels."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.registry import Registry
from gateway.watch.dispatch import channels
from protocol.host.strict import ConfigError
from tests.gateway.support import Sender, terminal_of
from tests.gateway.watch.dispatch.world import SECRET, http_server
from tests.gateway.watch.plant import POINTS, configured

SENDER = Sender()
WEBHOOK = '[[channel]]\nname = "duty"\nkind = "webhook"\nurl = "https://a.example/x"\nsecret_file = "duty.secret"\n'
EMAIL = (
    '[[channel]]\nname = "office"\nkind = "email"\nhost = "smtp.example"\nfrom = "w@a.example"\nto = ["d@a.example"]\n'
)
MQTT = '[[channel]]\nname = "scada"\nkind = "mqtt"\nhost = "127.0.0.1"\n'
PLATFORM = '[[channel]]\nname = "regulator"\nkind = "hj212"\nsink = "platform"\n'
QUIET = '[[maintenance]]\nenterprise = "E1"\nfrom = 2026-03-01T00:00:00Z\nto = 2026-03-02T00:00:00Z\nwhy = "bags"\n'


def secret(folder: Path, text: str = SECRET, mode: int = 0o600) -> None:
    (folder / "duty.secret").write_text(text)
    (folder / "duty.secret").chmod(mode)


def problems_of(folder: Path, text: str) -> list[tuple[Path, str, str]]:
    file = folder / "channels.toml"
    file.write_text(text)
    try:
        channels.load(file, Registry([terminal_of(SENDER, POINTS)]), channels.Known({"E1"}, ["platform"]))
    except ConfigError as error:
        return [(one.file, one.key, one.text) for one in error.problems]
    return []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (WEBHOOK.replace('kind = "webhook"', 'kind = "pager"'), "channel[0].kind"),
        (WEBHOOK + WEBHOOK, "channel[1].name"),
        (WEBHOOK.replace("duty.secret", "none.secret"), "channel[0].secret_file"),
        (WEBHOOK.replace("https:", "http:"), "channel[0].url"),
        (WEBHOOK.replace("https:", "ftp:"), "channel[0].url"),
        (WEBHOOK.replace("a.example", "u:p@a.example"), "channel[0].url"),
        (WEBHOOK.replace("/x", "/x y"), "channel[0].url"),
        (WEBHOOK.replace("a.example", "a.example:99999"), "channel[0].url"),
        (WEBHOOK + 'tls_ca_file = "none.crt"\n', "channel[0].tls_ca_file"),
        (WEBHOOK + 'families = ["treatmant"]\n', "channel[0].families[0]"),
        (WEBHOOK + 'enterprises = ["E9"]\n', "channel[0].enterprises"),
        (WEBHOOK + 'changes = ["began"]\n', "channel[0].changes[0]"),
        (WEBHOOK + "per_minute = 0\n", "channel[0].per_minute"),
        (MQTT + 'topic = "a/#"\n', "channel[0].topic"),
        (MQTT + 'username = "w"\n', "channel[0].username"),
        (EMAIL.replace('"d@a.example"', '"d@a.example\\nBcc: x@b.example"'), "channel[0].to[0]"),
        (EMAIL.replace('"d@a.example"', ""), "channel[0].to"),
        (EMAIL + 'security = "none"\n', "channel[0].security"),
        (EMAIL + 'password_file = "duty.secret"\n', "channel[0].username"),
        (PLATFORM.replace('"platform"', '"nats"'), "channel[0].sink"),
        (MQTT * 21, "channel"),
        (QUIET.replace('"E1"', '"E9"'), "maintenance[0].enterprise"),
        (QUIET + 'terminal = "T0001"\n', "maintenance[0].enterprise"),
        (QUIET.replace('enterprise = "E1"', 'terminal = "T0009"'), "maintenance[0].terminal"),
        (QUIET.replace("03-02", "02-02"), "maintenance[0].to"),
        (QUIET.replace("why", "reason"), "maintenance[0].reason"),
    ],
)
def test_what_is_wrong_in_channels_is_refused_by_file_and_key(tmp_path: Path, text: str, key: str) -> None:
    """P-258."""
    secret(tmp_path)
    found = problems_of(tmp_path, text)
    assert {one for one, _, _ in found} == {tmp_path / "channels.toml"}
    assert key in {one for _, one, _ in found}


def test_what_is_right_is_taken_and_a_secret_is_the_gateways_alone(tmp_path: Path) -> None:
    """P-258: what is refused shows nothing of the secret."""
    whole = WEBHOOK + EMAIL + MQTT + PLATFORM + QUIET + QUIET.replace('enterprise = "E1"', 'terminal = "T0001"')
    for text, mode, is_taken in ((SECRET, 0o600, True), (SECRET, 0o604, False), (SECRET[1:], 0o600, False)):
        secret(tmp_path, text, mode)
        found = problems_of(tmp_path, whole)
        assert [key for _, key, _ in found] == ([] if is_taken else ["channel[0].secret_file"])
        assert text not in str(found)
    secret(tmp_path)
    assert problems_of(tmp_path, WEBHOOK.replace("https://a.example", "http://[::1]:80")) == []
    assert problems_of(tmp_path, WEBHOOK.replace("https:", "http:") + "tunnel = true\n") == []


def test_a_channel_is_listed_and_tried(tmp_path: Path) -> None:
    """P-258: `check` warns of a wrong file, the watch does not begin with one."""
    secret(tmp_path)
    config = configured(tmp_path, SENDER)
    config.write_text('channels = "channels.toml"\n' + config.read_text())
    file = tmp_path / "channels.toml"
    (tmp_path / "data").mkdir()

    def said(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, [*words, "--config", str(config)])
        return done.exit_code, done.output

    file.write_text(WEBHOOK + "per_minute = 0\n")
    assert "channel[0].per_minute" in said("check")[1]
    assert said("watch", "--once")[0] == 1
    with http_server(lambda one: 204 if b'"test"' in one[1] else 500) as server:
        file.write_text(WEBHOOK.replace("https://a.example", f"http://127.0.0.1:{server.port}"))
        status, line = said("channels", "list", "--json")
        shown = json.loads(line)
        assert (status, shown["name"], shown["kind"], shown["state"]) == (0, "duty", "webhook", "not started")
        assert said("channels", "test", "duty")[0] == 0
        assert [one["change"] for one in server.told()] == ["test"]
        assert said("channels", "test", "nobody")[0] == 1
    status, line = said("channels", "test", "duty", "--json")
    shown = json.loads(line)
    assert (status, shown["ok"], shown["reason"]) == (1, False, "unreachable")
