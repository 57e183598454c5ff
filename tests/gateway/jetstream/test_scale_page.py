"""docs/scale.md: its configurations are ones that the programs take."""

import os
import re
import subprocess
from pathlib import Path

from gateway.app import Loaded
from gateway.files import write_secret
from hil.authority import Authority
from tests.gateway.jetstream.support import NATS
from tests.gateway.support import NOW_S, ROOT, Sender, write_config

PAGE = (ROOT / "docs/scale.md").read_text(encoding="utf-8")


def block(kind: str, begins: str) -> str:
    """A fenced block of the page, by how it begins."""
    blocks = re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = [text for text in blocks if text.startswith(begins)]
    return str(found)


def test_the_workers_configuration_is_taken_and_its_followers_too(tmp_path: Path) -> None:
    """P-227."""
    write_config(tmp_path, 1883, [Sender()])
    for name in ("nats.password", "nats-ca.pem"):
        write_secret(tmp_path / name, "x\n")
    text = block("toml", "data_dir")
    text = text.replace("/var/lib/wattline/worker1", "data").replace("/etc/wattline/terminals.toml", "terminals.toml")
    config = tmp_path / "worker.toml"
    config.write_text(text)
    loaded = Loaded(config)
    assert loaded.config.journal.kind == "jetstream"
    assert not [one for one in loaded.warnings(config, NOW_S) if one.key.startswith("mqtt.")]
    following = Loaded(config, follow=True).config
    assert (following.journal.kind, following.mqtt, following.jetstream) == ("sqlite", None, loaded.config.jetstream)


def test_the_servers_configuration_is_taken(tmp_path: Path) -> None:
    """P-227."""
    authority = Authority()
    files = authority.server_files(authority.issue("n1"), tmp_path)
    for made, name in zip(files, ("ca.pem", "server.pem", "server.key"), strict=True):
        made.rename(tmp_path / name)
    (tmp_path / "nats.conf").write_text(block("", "server_name"))
    command = [str(NATS), "-t", "-c", "nats.conf"]
    env = {**os.environ, "NATS_PASSWORD": "secret"}
    tested = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
