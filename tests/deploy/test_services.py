"""Units, containers and configurations of both forms: what an operator copies works, and allows what it says alone."""

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from typer.testing import CliRunner

from gateway.cli import app
from gateway.files import write_secret
from gateway.pki.authority import PEM
from hil.authority import Authority
from hil.ports import wait_for_port
from hil.process import Process
from tests.deploy.brokers import DEPLOY, FORMS, PASSWORD, place_broker
from tests.gateway.support import ROOT, mosquitto


class Service(msgspec.Struct, forbid_unknown_fields=True):
    """What of the Compose specification our files use."""

    image: str
    restart: str
    volumes: list[str]
    build: dict[str, str] = {}
    command: list[str] = []
    entrypoint: list[str] = []
    depends_on: list[str] = []
    environment: dict[str, str] = {}
    network_mode: str = ""
    ports: list[str] = []
    profiles: list[str] = []
    stop_grace_period: str = ""


class Compose(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    services: dict[str, Service]
    volumes: dict[str, dict[str, str]]


@pytest.mark.parametrize("form", FORMS)
def test_a_compose_file_names_only_what_there_is(form: str) -> None:
    """P-237."""
    folder = DEPLOY / form
    found = msgspec.yaml.decode((folder / "compose.yaml").read_bytes(), type=Compose)
    used = set()
    for service in found.services.values():
        assert service.restart == "always"
        assert service.image == "wattline" or re.fullmatch(r"[a-z/-]+:v?\d[\d.]*", service.image)
        assert not service.ports or service.ports == ["8883:8883"]  # terminals' alone is open to others
        others = [
            *service.depends_on,
            *([service.network_mode.removeprefix("service:")] if service.network_mode else []),
        ]
        assert set(others) <= found.services.keys()
        if service.build:
            assert (folder / service.build["context"] / service.build["dockerfile"]).is_file()
        if service.entrypoint:
            assert (folder / Path(service.entrypoint[-1]).name).is_file()
        if service.image.startswith("prom/"):
            options = dict(word.split("=") for word in service.command)
            config = Path(options["--config.file"])
            assert f"../monitoring:{config.parent}:ro" in service.volumes
            assert (DEPLOY / "monitoring" / config.name).is_file()
        for volume in service.volumes:
            source, target, *mode = volume.split(":")
            assert target.startswith("/")
            if source.startswith("."):
                assert mode == ["ro"]
                assert "secrets" in source or source.startswith("./worker-") or (folder / source).exists()
            else:
                used.add(source)
    assert used == found.volumes.keys()


def test_the_image_starts_what_the_package_installs() -> None:
    """P-237."""
    lines = (DEPLOY / "image/Dockerfile").read_text(encoding="utf-8").splitlines()
    assert (
        lines[-1]
        == 'ENTRYPOINT ["/opt/wattline/.venv/bin/wattline", "gateway", "run", "--config", "/etc/wattline/gateway.toml"]'
    )
    assert lines[-2] == "USER wattline"
    assert any("--require-hashes" in line for line in lines)
    bases = [line.split()[1:] for line in lines if line.startswith("FROM ")]
    assert all(not base.endswith(":latest") and ":" in base for base, *_ in bases)
    stages = {words[2] for words in bases if len(words) == 3}
    for line in lines:
        if line.startswith("COPY --from="):
            assert line.split()[1].removeprefix("--from=") in stages
        elif line.startswith("COPY "):
            assert all((ROOT / source).exists() for source in line.split()[1:-1])


def test_no_secret_of_an_operator_becomes_a_layer_of_the_image() -> None:
    """P-237: each folder and file that the forms name as secret is kept out of what the image is built of."""
    kept_out = set((ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines())
    texts = [(DEPLOY / form / "compose.yaml").read_text(encoding="utf-8") for form in FORMS]
    named = set(re.findall(r"\./(secrets|worker-)", "".join(texts)))
    assert named == {"secrets", "worker-"}
    assert {"**/secrets", "**/keys", "**/*.password", "deploy/several-machines/worker-*"} <= kept_out


CONFIGURATIONS = [
    ("one-machine", "gateway.toml"),
    ("several-machines", "worker.toml"),
    ("several-machines", "follower.toml"),
]


@pytest.mark.parametrize(("form", "name"), CONFIGURATIONS)
def test_a_configuration_passes_the_check_once_its_files_are_there(form: str, name: str, tmp_path: Path) -> None:
    """P-237."""
    for file in ("terminals.toml", "platform.toml"):
        shutil.copyfile(DEPLOY / "example" / file, tmp_path / file)
    text = (DEPLOY / form / name).read_text(encoding="utf-8")
    (tmp_path / "gateway.toml").write_text(text.replace("/var/lib/wattline", str(tmp_path / "data")), encoding="utf-8")
    for password in ("mqtt.password", "nats.password"):
        write_secret(tmp_path / password, f"{PASSWORD}\n")
    (tmp_path / "nats-ca.pem").write_bytes(Authority().own.certificate_bytes(PEM))
    (tmp_path / "keys").mkdir()
    key = tmp_path / "keys/T0001.1.hex"
    key.touch(mode=0o600)
    key.write_text(os.urandom(32).hex())
    done = CliRunner().invoke(app, ["check", "--config", str(tmp_path / "gateway.toml")])
    assert done.exit_code == 0, done.output
    assert "mqtt." not in done.output


class Peer:
    """A client of the broker, and what it is answered."""

    def __init__(self, port: int, folder: Path, name: str, tls: bool) -> None:
        self._changed = threading.Condition()
        self.said: list[int] = []  # reason codes, in order
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
        self.client.on_connect = lambda _c, _d, _f, code, _p: self._hear(code.value)
        self.client.on_publish = lambda _c, _d, _m, code, _p: self._hear(code.value)
        self.client.on_subscribe = lambda _c, _d, _m, codes, _p: self._hear(codes[0].value)
        if tls:
            self.client.tls_set(str(folder / "certs/ca.crt"), str(folder / f"{name}.crt"), str(folder / f"{name}.key"))
        else:
            self.client.username_pw_set("gateway", PASSWORD)
        self.client.connect("localhost" if tls else "127.0.0.1", port)
        self.client.loop_start()
        assert self.answer() == 0

    def _hear(self, code: int) -> None:
        with self._changed:
            self.said.append(code)
            self._changed.notify_all()

    def answer(self) -> int:
        with self._changed:
            assert self._changed.wait_for(lambda: bool(self.said), 60)
            return self.said.pop(0)

    def may_publish(self, topic: str) -> bool:
        self.client.publish(topic, b"x", qos=1)
        return self.answer() < 0x80

    def may_subscribe(self, topic: str) -> bool:
        self.client.subscribe(topic, qos=1)
        return self.answer() < 0x80

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self.client.on_connect = self.client.on_publish = self.client.on_subscribe = None


@pytest.fixture(params=FORMS)
def ports(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[int, int]]:
    config, inner, outer = place_broker(tmp_path, request.param)
    with Process("mosquitto", [str(mosquitto()), "-c", str(config)], tmp_path / "broker.log") as process:
        process.start()
        wait_for_port(process, inner)
        wait_for_port(process, outer)
        yield inner, outer


def test_debians_broker_takes_what_the_guide_lays_beside_its_own_configuration(tmp_path: Path) -> None:
    """P-237: which names what may stand once only."""
    config, inner, outer = place_broker(tmp_path, "one-machine")
    page = (ROOT / "docs/operating-a-gateway.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^sed .*/one-machine/mosquitto\.conf > [\w./-]+", page, re.MULTILINE)
    for old, new in (("$examples/one-machine/mosquitto.conf", config), ("/etc/mosquitto", tmp_path)):
        assert old in line
        line = line.replace(old, str(new))
    (tmp_path / "conf.d").mkdir()
    subprocess.run(["sh", "-euc", line], check=True, timeout=60)
    # /etc/mosquitto/mosquitto.conf of Debian's mosquitto 2.0
    own = f"persistence true\npersistence_location {tmp_path}/\ninclude_dir {tmp_path}/conf.d\n"
    (tmp_path / "debian.conf").write_text(own)
    with Process("mosquitto", [str(mosquitto()), "-c", str(tmp_path / "debian.conf")], tmp_path / "log") as process:
        process.start()
        for port in (inner, outer):
            wait_for_port(process, port)


def test_a_terminal_may_send_as_itself_and_the_gateway_hears_all(ports: tuple[int, int], tmp_path: Path) -> None:
    """P-237: the real broker with the real files; shared subscriptions, too."""
    inner, outer = ports
    terminal, gateway = Peer(outer, tmp_path, "T0001", tls=True), Peer(inner, tmp_path, "gateway", tls=False)
    mount = "terminals/" if "mount_point" in (tmp_path / "mosquitto.conf").read_text() else ""
    assert gateway.may_subscribe(f"{mount}wattline/up/+")
    assert gateway.may_subscribe(f"$share/workers/{mount}wattline/up/+")
    assert terminal.may_publish("wattline/up/T0001")
    assert terminal.may_subscribe("wattline/down/T0001")
    assert not terminal.may_publish("wattline/up/T0002")
    assert not terminal.may_publish("wattline/down/T0001")
    assert gateway.may_publish(f"{mount}wattline/down/T0001")
    assert not gateway.may_publish(f"{mount}wattline/up/T0001")
    for one in (terminal, gateway):
        one.close()


def test_nobody_gets_in_without_password_or_certificate(ports: tuple[int, int]) -> None:
    """P-237."""
    answered: list[int] = []
    heard = threading.Event()

    def hear(_client: Any, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        answered.append(code.value)
        heard.set()

    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="stranger", protocol=paho.MQTTv5)
    client.on_connect = hear
    client.connect("127.0.0.1", ports[0])
    client.loop_start()
    assert heard.wait(20)
    client.disconnect()
    client.loop_stop()
    client.on_connect = None
    assert answered[0] == 0x87
