"""Where the documentation's commands are run: a folder for the machine's, a broker, a gateway, two hours of records."""

import contextlib
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from typer.testing import CliRunner

from docs.site import terminal_json
from gateway import command
from hil.ports import free_port
from protocol import record
from tests.docs.commands import REPO
from tests.gateway.support import Device, Sender, mosquitto, reading, window
from tests.gateway.watch.dispatch.world import SECRET, HttpServer

RELEASE = "wattline-esp32s3-1767225600.wlb"  # as the operator's page calls one
DOCUMENT = {"sample_interval_s": 10}
PASSPHRASE = "a lodge by the weir"
READY_S = 60
WINDOWS = 8  # two hours of them


class World:
    """A machine's folders below one of a test; commands run as a shell there would run them."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch, server: HttpServer) -> None:
        self.srv, self.backup, self.office, self.wrapping = (
            root / name for name in ("srv", "backup", "office", "keys")
        )
        self.office.mkdir()
        self.backup.mkdir()
        self.folder = REPO  # where the shell is
        self.port = free_port()
        self._server, self._patch = server, patch
        self._processes: list[tuple[str, subprocess.Popen[bytes]]] = []
        path = f"{REPO / '.venv/bin'}:{mosquitto().parent}:{os.environ['PATH']}"
        patch.setenv("PATH", path)
        patch.setattr("getpass.getpass", lambda *_: PASSPHRASE)  # which asks a keyboard that no test has
        patch.setenv("WATTLINE_CONFIG", str(self.srv / "gateway.toml"))

    def here(self, text: str) -> str:
        """A line with this machine's folders and group in the place of the page's."""
        for page, ours in (
            ("/etc/wattline-keys", self.wrapping),
            ("/etc/wattline/", f"{self.srv}/"),
            ("/srv/wattline", self.srv),
            ("/backup/", f"{self.backup}/"),
            (" -g wattline", ""),
            ("chgrp wattline", f"chgrp {os.getgid()}"),
        ):
            text = text.replace(page, str(ours))
        return text

    def ours(self, words: list[str]) -> tuple[int, str]:
        """A `wattline` command: exit status, what it said. Passwords that it asks for are answered."""
        self._patch.chdir(self.folder)
        done = CliRunner().invoke(command.app, words, input=f"{PASSPHRASE}\n{PASSPHRASE}\n")
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.output

    def shell(self, text: str) -> tuple[int, str]:
        """Any other line; a change of the folder stays."""
        script = f"{text}\nstatus=$?; pwd >&3; exit $status"
        read, write = os.pipe()
        done = subprocess.run(
            ["bash", "-c", script.replace(">&3", f">&{write}")],
            cwd=self.folder,
            pass_fds=[write],
            capture_output=True,
            timeout=60,
            check=False,
        )
        os.close(write)
        with os.fdopen(read) as pipe:
            self.folder = Path(pipe.read().strip())
        return done.returncode, (done.stdout + done.stderr).decode()

    def start(self, text: str) -> str:
        """A line that goes on: in the background, until `stop`. What it says when it is ready."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {text}"], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._processes.append((text, process))
        if text.startswith("mosquitto"):
            _wait_for(self.port)
            return ""
        assert process.stdout
        return _line(process.stdout)

    def stop(self, beginning: str = "") -> None:
        """End what goes on and begins so, the newest first, each as a service manager would."""
        for one in reversed([one for one in self._processes if one[0].startswith(beginning)]):
            self._processes.remove(one)
            one[1].terminate()
            one[1].communicate(timeout=READY_S)

    # --- what the pages take for granted --------------------------------------------------------------------------

    def go_to_the_office(self) -> None:
        """A shell in the folder where releases are made, not in the checkout."""
        self.folder = self.office

    def go_to_the_checkout(self) -> None:
        """A shell in the checkout, of which a page copies."""
        self.folder = REPO

    def own_ports(self) -> None:
        """The copied example listens on ports that are free here."""
        for name, pattern, text in (
            ("mosquitto.conf", r"^listener 1883", f"listener {self.port}"),
            ("gateway.toml", r"^port = 1883", f"port = {self.port}"),
            ("gateway.toml", r"^port = 9212", "port = 0"),
            ("gateway.toml", r"^port = 9000", f"port = {free_port()}"),
        ):
            file = self.srv / name
            changed, count = re.subn(pattern, text, file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert count == 1, f"{name}: {pattern}"
            file.write_text(changed, encoding="utf-8")

    def fill(self) -> None:
        """T0001 sends two hours of windows, and hears that they are kept; T0042 is admitted."""
        sender = Sender("T0001", bytes.fromhex((self.srv / "keys/T0001.1.hex").read_text()))
        device = Device(self.port)
        end_s = int(time.time()) // 900 * 900
        for seq in range(WINDOWS):
            readings = [_working(40_000 + 70 * seq, seq), _working(9_000 + 30 * seq, seq)]
            device.publish("T0001", sender.frame([window(seq, end_s - 900 * (WINDOWS - seq), readings)]))
        device.down(1)
        device.close()
        key = self.office / "T0042.hex"
        key.write_text(os.urandom(32).hex())
        key.chmod(0o600)
        status, said = self.ours(["gateway", "admit", "T0042", "--key-file", str(key), "--point", "1:fan:production"])
        assert status == 0, said

    def write_channels(self) -> None:
        """A channel called duty, whose server is here."""
        secret = self.srv / "duty.secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        url = f"http://127.0.0.1:{self._server.port}/"
        text = f'[[channel]]\nname = "duty"\nkind = "webhook"\nurl = "{url}"\nsecret_file = "duty.secret"\n'
        (self.srv / "channels.toml").write_text(text)
        self._insert('channels = "channels.toml"\n')

    def write_configuration(self) -> None:
        """new.json, and the technician's file."""
        (self.srv / "new.json").write_text(json.dumps(DOCUMENT))
        (self.srv / "terminal-T0042.json").write_text(json.dumps({**terminal_json.FILE, "terminal": "T0042"}))

    def bring_release(self) -> None:
        """The office's release and its public keys lie beside gateway.toml, which names the keys."""
        (self.srv / RELEASE).write_bytes(self.made_release().read_bytes())
        (self.srv / "update_keys.json").write_bytes((self.office / "update_keys.json").read_bytes())
        self._insert('update_keys = "update_keys.json"\n')

    def made_release(self) -> Path:
        """The bundle that the office made."""
        return next(self.office.glob("wattline-esp32s3-*.wlb"))

    def lose_data(self) -> None:
        """A backup is there, the gateway is ended, and its data_dir is gone."""
        status, said = self.ours(["gateway", "backup", "--out", str(self.backup / "2026-03-01")])
        assert status == 0, said
        self.stop("wattline gateway run")
        (self.srv / "data").rename(self.srv / "lost")

    def plan_site(self) -> None:
        """The example's plan, with this gateway's key and the Wi-Fi's password beside it."""
        status, said = self.ours(["gateway", "sealing-key"])
        assert status == 0, said
        plan = (REPO / "deploy/example/site.toml").read_text(encoding="utf-8").replace("0" * 64, said.strip())
        (self.srv / "site.toml").write_text(plan, encoding="utf-8")
        password = self.srv / "wifi-password.txt"
        password.write_text(PASSPHRASE)
        password.chmod(0o600)

    def name_users(self) -> None:
        """The console's section."""
        with (self.srv / "gateway.toml").open("a") as file:
            file.write('\n[console]\nusers = "users.toml"\nport = 0\n')

    def _insert(self, text: str) -> None:
        file = self.srv / "gateway.toml"
        file.write_text(text + file.read_text(encoding="utf-8"), encoding="utf-8")


def _working(power_w: int, seq: int) -> record.Reading:
    """Of a feeder that works, and whose numbers move as a live meter's do."""
    energy_wh = 1_000_000 + seq * power_w // 4
    return reading(p_mean_w=power_w, p_min_w=power_w - 90, p_max_w=power_w + 80, e_import_wh=energy_wh)


def _wait_for(port: int) -> None:
    end_s = time.monotonic() + READY_S
    while time.monotonic() < end_s:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {port}")


def _line(pipe: IO[bytes]) -> str:
    """The first line that a process says: a test's time-out bounds the wait."""
    return pipe.readline().decode()


@contextlib.contextmanager
def world_in(root: Path, patch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world that leaves no process behind."""
    server = HttpServer(lambda _: 204, tls=None)
    world = World(root, patch, server)
    try:
        yield world
    finally:
        world.stop()
        server.close()
