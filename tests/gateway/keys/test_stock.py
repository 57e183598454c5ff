"""Key files sealed under a wrapping key: what they show, what is refused, and what a kill leaves."""

import base64
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway import registry
from gateway.cli import app
from gateway.commissioning import sealing_key
from gateway.config import load as load_config
from gateway.files import write_secret
from gateway.keys.stock import Stock
from gateway.keys.wrapping import CREDENTIAL, VARIABLE, WrappingKeys, find
from hil.broker import Broker
from protocol.host.strict import ConfigError
from tests.gateway.support import Device, Running, Sender, window, write_config

SENDERS = [Sender(f"T{number:04}", bytes([number]) * 31 + b"k") for number in range(1, 4)]
WRAP, OTHER = "5a" * 32, "c3" * 32
OWN = b"o" * 32


class House:
    """A gateway's files: three terminals, our sealing key, and a wrapping key that terminals.toml names."""

    def __init__(self, folder: Path, port: int = 1883, senders: list[Sender] = SENDERS) -> None:
        self.folder = folder
        self.senders = senders
        self.config = write_config(folder, port, senders)
        self.terminals = folder / "terminals.toml"
        self.wrapping = folder / "wrapping.key"
        write_secret(self.wrapping, WRAP + "\n")
        write_secret(folder / "sealing.key", OWN.hex() + "\n")
        self.name("wrapping.key")

    def name(self, file: str | None) -> None:
        """Have terminals.toml name this file, or none."""
        text = "".join(
            line for line in self.terminals.read_text().splitlines(keepends=True) if not line.startswith("wrapping")
        )
        self.terminals.write_text((f'wrapping_key_file = "{file}"\n' if file else "") + text)

    def run(self, *words: str) -> tuple[int, dict[str, Any], str]:
        answer = CliRunner().invoke(app, ["keys", words[0], "--config", str(self.config), "--json", *words[1:]])
        return answer.exit_code, json.loads(answer.stdout) if answer.stdout else {}, answer.stderr

    def warned(self) -> list[str]:
        """What `check` warns of about keys."""
        answer = CliRunner().invoke(app, ["check", "--config", str(self.config), "--json"])
        return [one["problem"] for one in json.loads(answer.stdout)["warnings"] if one["key"] == "keys"]

    def files(self) -> list[Path]:
        return [self.folder / f"{sender.name}.hex" for sender in self.senders] + [self.folder / "sealing.key"]

    def opens(self) -> bool:
        """Whether a gateway that starts now has every key."""
        known, path = registry.load(self.terminals), self.folder / "sealing.key"
        own = sealing_key.load(path, registry.wrapping_at(self.terminals)).private_bytes_raw()
        return own == OWN and all(
            known.get(sender.name).states.keys() == {1}  # type: ignore[union-attr]
            for sender in self.senders
        )

    def secrets(self) -> dict[str, bytes]:
        return {one.name: secret for one, _, secret in self.stock().states()}

    def rewrap(self) -> None:
        self.stock().draw()
        self.stock().seal()

    def stock(self) -> Stock:
        return Stock(load_config(self.config))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_what_is_sealed_shows_no_key_opens_again_and_comes_back_as_it_was(house: House) -> None:
    """P-401: owner and mode stay as they were; `check` warns of what lies in plain beside a wrapping key."""
    before = {file: file.read_bytes() for file in house.files()}
    house.files()[0].chmod(0o640)
    assert house.run("check")[:2] == (
        1,
        {"ok": False, "sealed": 0, "older": 0, "plain": 4, "unread": [], "equal": [], "wrapping_keys": 1},
    )
    assert ["4 key files are not sealed" in one for one in house.warned()] == [True]
    assert house.run("seal")[:2] == (0, {"sealed": 4})
    assert house.run("seal")[:2] == (0, {"sealed": 0})
    assert house.warned() == []
    assert house.run("check")[1] == {
        "ok": True,
        "sealed": 4,
        "older": 0,
        "plain": 0,
        "unread": [],
        "equal": [],
        "wrapping_keys": 1,
    }
    assert [file.stat().st_mode & 0o777 for file in house.files()] == [0o640, 0o600, 0o600, 0o600]
    for secret in [sender.secret for sender in SENDERS] + [OWN]:
        for form in (secret, secret.hex().encode(), base64.b64encode(secret)[:40]):
            assert not any(form in file.read_bytes() for file in house.files())
    assert house.opens()
    assert house.run("unseal")[:2] == (0, {"unsealed": 4})
    assert {file: file.read_bytes() for file in house.files()} == before


def test_where_a_key_file_is_a_link_what_it_leads_to_is_sealed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-401: no key stays in plain behind it, no wrapping key comes to lie beside the keys; none is open half made."""
    disk = house.folder / "another disk"
    disk.mkdir()
    for file in (house.files()[0], house.wrapping):
        file.rename(disk / file.name)
        file.symlink_to(disk / file.name)
    modes, real = [], os.fchown

    def fchown(descriptor: int, user: int, group: int) -> None:
        modes.append(os.fstat(descriptor).st_mode & 0o777)
        real(descriptor, user, group)

    monkeypatch.setattr(os, "fchown", fchown)
    assert house.run("rewrap")[:2] == (0, {"sealed": 4})
    assert modes == [0o600] * 5
    assert [one.is_symlink() for one in (house.files()[0], house.wrapping)] == [True, True]
    assert (disk / house.files()[0].name).read_bytes().startswith(b"wattline-sealed-key ")
    assert house.opens()


class Killed(BaseException):
    """The process is no more."""


@pytest.fixture
def killed_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Ends the process at its nth call to the disk: this one is not made any more, and none after it."""
    left = [0]

    def watched(call: Callable[..., Any]) -> Callable[..., Any]:
        def made(*args: Any, **more: Any) -> Any:
            if is_on[0]:
                left[0] -= 1
                if left[0] < 0:
                    raise Killed
            return call(*args, **more)

        return made

    is_on = [False]
    for owner, name in ((os, "fsync"), (os, "fchown"), (os, "fchmod"), (Path, "rename"), (Path, "unlink")):
        monkeypatch.setattr(owner, name, watched(getattr(owner, name)))

    def arm(count: int) -> None:
        left[0], is_on[0] = count, count >= 0

    yield arm
    is_on[0] = False


@pytest.mark.parametrize("command", ["seal", "unseal", "rewrap"])
def test_killed_at_any_step_every_key_is_there_and_the_same_command_ends_it(
    command: str, tmp_path: Path, killed_at: Callable[[int], None]
) -> None:
    """P-402: a gateway that starts then has every key, too."""
    wanted = House(tmp_path / "as-it-was", senders=SENDERS[:1]).secrets()
    steps: dict[str, Callable[[House], object]] = {
        "seal": lambda house: house.stock().seal(),
        "unseal": lambda house: house.stock().unseal(),
        "rewrap": House.rewrap,
    }
    for step in range(200):
        house = House(tmp_path / f"{step}", senders=SENDERS[:1])
        if command != "seal":
            house.stock().seal()
        killed_at(step)
        is_done = False
        with suppress(Killed):
            steps[command](house)
            is_done = True
        killed_at(-1)
        assert (house.opens(), house.secrets()) == (True, wanted), step
        if is_done:
            assert step >= 2 * 5  # files, and calls to the disk for each
            return
        steps[command](house)
        assert house.secrets() == wanted
    raise AssertionError("it never came to its end")


def test_what_is_cut_short_altered_or_exchanged_is_refused_and_shown_to_nobody(house: House) -> None:
    """P-403: each place of a sealed key, one after the other; each cut; another terminal's in its place."""
    house.run("seal")
    file, other = house.files()[:2]
    line = file.read_bytes().strip()
    wrong = [line[:count] for count in range(len(line))]
    wrong += [line[:at] + (b"A" if line[at : at + 1] != b"A" else b"B") + line[at + 1 :] for at in range(len(line))]
    wrong += [other.read_bytes(), b"", b"00" * 31, b"zz" * 32, b"00" * 33]
    for content in wrong:
        file.write_bytes(content)
        with pytest.raises(ConfigError) as refused:
            registry.load(house.terminals)
        said = str(refused.value)
        assert "T0001" in said or "sealed under the wrapping key" in said, content
        assert SENDERS[0].secret.hex() not in said
        assert content.decode() not in said or len(content) < 64


def test_another_wrapping_key_is_refused_in_one_line_that_says_which(house: House) -> None:
    """P-403: also none, one that others may read, one of a wrong size, one that stands there twice."""
    house.run("seal")
    wrap = WrappingKeys([bytes.fromhex(WRAP)]).first

    def refused() -> str:
        with pytest.raises(ConfigError) as why:
            registry.load(house.terminals)
        assert len(why.value.problems) == 1
        assert WRAP not in str(why.value)
        return str(why.value)

    for text, said in (
        (OTHER, f"3 key files (T0001.hex) are sealed under the wrapping key {wrap}"),
        (WRAP[2:], "64 hex digits"),
        (f"{WRAP}\n{WRAP}", "each once"),
        ("", "64 hex digits"),
    ):
        house.wrapping.write_text(text)
        assert said in refused()
        assert house.run("check")[0] == 1
        assert house.run("unseal")[0] == 1
    house.wrapping.write_text(WRAP)
    house.wrapping.chmod(0o644)
    assert "chmod 600" in refused()
    house.wrapping.unlink()
    assert "No such file" in refused()
    house.name(None)
    assert "here / 现有: none" in refused()
    assert "no wrapping key" in house.run("seal")[2]


def test_a_new_wrapping_key_takes_over_and_the_old_one_can_go(house: House) -> None:
    """P-404: what lies under the old one still opens until its line is deleted."""
    house.run("seal")
    old = [file.read_bytes() for file in house.files()]
    assert house.run("rewrap")[:2] == (0, {"sealed": 4})
    lines = house.wrapping.read_text().split()
    assert (len(lines), lines[1], house.wrapping.stat().st_mode & 0o777) == (2, WRAP, 0o600)
    house.files()[0].write_bytes(old[0])
    assert house.opens()
    assert house.run("check")[1]["older"] == 1
    assert house.run("seal")[1] == {"sealed": 1}
    house.wrapping.write_text(lines[0])
    assert house.opens()


def test_a_wrapping_key_comes_from_the_file_the_credential_or_the_environment(tmp_path: Path) -> None:
    """P-404: in this order; the environment's is told apart by its id."""
    file, folder = tmp_path / "file.key", tmp_path / "credentials"
    folder.mkdir()
    keys = [WRAP, OTHER, "e1" * 32]
    write_secret(file, keys[0])
    write_secret(folder / CREDENTIAL, keys[1])
    names = {"CREDENTIALS_DIRECTORY": str(folder), VARIABLE: keys[2]}
    ids = [WrappingKeys([bytes.fromhex(key)]).first for key in keys]
    assert find(file, names).first == ids[0]
    assert find(None, names).first == ids[1]
    (folder / CREDENTIAL).unlink()
    assert find(None, names).first == ids[2]
    assert len(find(None, {})) == 0


def test_two_names_for_one_key_are_found(house: House) -> None:
    """P-403: one key of two terminals; one file of two."""
    house.files()[1].write_bytes(house.files()[0].read_bytes())
    assert house.run("check")[1]["equal"] == [["T0001.1", "T0002.1"]]
    house.terminals.write_text(house.terminals.read_text().replace("T0003.hex", "T0002.hex"))
    status, _, why = house.run("seal")
    assert (status, "the file of T0002.1 and of T0003.1" in why) == (1, True)


@pytest.mark.slow
def test_a_running_gateway_keeps_its_keys_when_a_reload_finds_none(
    tmp_path: Path, broker: Broker, start: Callable[..., Running], device: Callable[..., Device]
) -> None:
    """P-403: sealed while it runs, it goes on; with a wrong wrapping key `reload_refused` says so, and it goes on."""
    house, sender = House(tmp_path / "house", broker.port), SENDERS[0]
    running, terminal = start(house.config), device(sender.name)

    def hears(seq: int) -> bool:
        terminal.publish(sender.name, sender.frame([window(seq)]))
        return bool(sender.open_ack(terminal.down(seq)[-1]).durable == [(seq, seq)])

    assert hears(1)
    assert house.run("seal")[0] == 0
    running.reload.set()
    assert hears(2)
    house.wrapping.write_text(OTHER)
    running.reload.set()
    assert hears(3)
    assert "reload_refused" in running.log.getvalue()
    assert sender.secret.hex() not in running.log.getvalue()
