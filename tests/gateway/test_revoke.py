"""Terminals that are revoked, and when they were commissioned: what terminals.toml says of them, and who obeys it."""

import errno
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import registry, registry_edit
from gateway.cli import app
from gateway.files import Watched
from hil.broker import Broker
from protocol.host.strict import ConfigError
from tests.gateway.support import NOW_S, ROOT, Device, Sender, window, write_config

STOLEN = Sender("T0002", b"s" * 32)
AT = datetime.fromtimestamp(NOW_S, UTC)


@pytest.fixture
def terminals(tmp_path: Path) -> Path:
    return write_config(tmp_path, 1883, [Sender(), STOLEN, Sender("T0003", b"t" * 32)]).parent / "terminals.toml"


def test_revoking_changes_that_terminal_alone_and_needs_its_keys_no_more(terminals: Path) -> None:
    text = terminals.read_text() + "# a comment stays\n"
    terminals.write_text(text)
    registry_edit.revoke(terminals, "T0002", AT)
    (terminals.parent / "T0002.hex").unlink()
    loaded = registry.load(terminals)
    assert [name for name in ("T0001", "T0002", "T0003") if loaded.get(name) is None] == ["T0002"]
    assert (len(loaded), [one.id for one in loaded.all()]) == (2, ["T0001", "T0002", "T0003"])
    stolen = loaded.revoked("T0002")
    assert stolen is not None
    assert (stolen.revoked_s, dict(stolen.states)) == (NOW_S, {})
    assert terminals.read_text().replace("revoked = 2026-03-01T00:00:00Z\n", "") == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('terminal = [{id = "T0002", keys = [{generation = 1, file = "T0002.hex"}]}]', "add by hand"),
        ('[[terminal]]\nid = "T0009"\nkeys = [{generation = 1, file = "T0002.hex"}]', "not in this file"),
        ('[[terminal]]\nid = "T0002"\nkeys = []\nrevoked = 2026-01-01T00:00:00Z', "revoked already"),
    ],
)
def test_what_can_not_be_revoked_is_said_and_left_alone(terminals: Path, text: str, said: str) -> None:
    terminals.write_text(text)
    with pytest.raises(ConfigError, match=said):
        registry_edit.revoke(terminals, "T0002", AT)
    assert terminals.read_text() == text


def test_who_could_read_the_file_still_can(terminals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-455: what root edits stays the service's; where that can't be, nothing changes, and it says so."""
    terminals.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(terminals, 12_345, 12_346)
    before = terminals.stat()
    registry_edit.revoke(terminals, "T0002", AT)
    after, text = terminals.stat(), terminals.read_text()
    assert after.st_ino != before.st_ino, "another file"
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)

    def refused(_descriptor: int, _uid: int, _gid: int) -> None:
        raise PermissionError(errno.EPERM, "not permitted")

    monkeypatch.setattr(os, "fchown", refused)
    with pytest.raises(ConfigError, match=r"owner: user \d+, group \d+ can't be kept .*as root"):
        registry_edit.revoke(terminals, "T0003", AT)
    assert terminals.read_text() == text
    assert not list(terminals.parent.glob(f".{terminals.name}.*"))


@pytest.mark.parametrize("value", ["2026-03-01T00:00:00", "2026-03-01", '"yesterday"', "1"])
def test_times_must_name_their_zone(terminals: Path, value: str) -> None:
    terminals.write_text(f'[[terminal]]\nid = "T1"\nkeys = []\ncommissioned = {value}\n')
    with pytest.raises(ConfigError, match=r"commissioned: .*a time with its zone"):
        registry.load(terminals)


def test_commissioned_is_taken_as_the_instant_that_it_names(terminals: Path) -> None:
    text = terminals.read_text().replace('id = "T0001"', 'id = "T0001"\ncommissioned = 2026-03-01T08:00:00+08:00')
    terminals.write_text(text)
    one, other = registry.load(terminals).get("T0001"), registry.load(terminals).get("T0002")
    assert one is not None
    assert other is not None
    assert (one.commissioned_s, other.commissioned_s) == (NOW_S, None)


def test_a_watched_file_is_looked_at_rarely_and_each_change_seen_once(tmp_path: Path) -> None:
    file, now_s = tmp_path / "file", [0.0]
    file.write_text("1")
    watched = Watched(file, lambda: now_s[0], every_s=5)
    file.write_text("22")
    assert not watched.changed()
    now_s[0] = 5
    assert watched.changed()
    for now_s[0] in (10, 15):
        assert not watched.changed()
    file.unlink()
    now_s[0] = 20
    assert not watched.changed()
    file.write_text("22")  # another file, of the same length
    now_s[0] = 25
    assert watched.changed()


@pytest.mark.slow
def test_a_running_gateway_refuses_a_revoked_terminal_within_a_minute_without_restart(
    tmp_path: Path, broker: Broker
) -> None:
    """S-19: the real process, and no signal; the other terminal's key goes on as before."""
    sender = Sender()
    config = write_config(tmp_path, broker.port, [sender, STOLEN])
    command = [sys.executable, "-c", "from gateway.cli import app; app()", "run", "--config", str(config)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log)
    stolen, other = None, None
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["ready"] is True
        stolen, other = Device(broker.port, "T0002"), Device(broker.port, "T0001")
        stolen.publish("T0002", STOLEN.frame([window(1)]))
        stolen.down(1)
        answer = CliRunner().invoke(app, ["revoke", "--config", str(config), "T0002", "--json"])
        assert json.loads(answer.stdout) == {"revoked": "T0002", "running_pid": process.pid}
        since = time.monotonic()
        while b'"reloaded"' not in (tmp_path / "log").read_bytes():
            assert time.monotonic() - since < 60
            time.sleep(0.05)
        stolen.publish("T0002", STOLEN.frame([window(2)]))
        other.publish("T0001", sender.frame([window(1)]))
        assert sender.open_ack(other.down(1)[0]).durable == [(1, 1)]
        assert len(stolen.down(1)) == 1
    finally:
        for device in (stolen, other):
            if device is not None:
                device.close()
        process.terminate()
        process.wait(20)
        process.stdout.close()  # type: ignore[union-attr]
    listed = json.loads(CliRunner().invoke(app, ["unknown", "--config", str(config), "--json"]).stdout)["unknown"]
    assert [(row["terminal"], row["revoked"], row["frames"]) for row in listed] == [("T0002", True, 1)]
