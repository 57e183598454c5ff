"""A careless insider: files that others may read, weak settings, wrong documents."""

import shutil
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware.field.update import release
from firmware.field.update.keys import ReleaseKey
from hil import updates
from hil.attack.house import OWN, TECHNICIAN_NAME, House
from hil.attack.move import Move, Observed
from hil.process import Process
from protocol.host import commissioning, signed

WHO = "a careless insider"


def _copy(house: House, name: str) -> Path:
    """The gateway's folder beside it, to be spoilt: what runs is untouched."""
    folder = house.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(house.config.parent, folder, ignore=shutil.ignore_patterns("data", "*.log"))
    return folder


def _checked(house: House, folder: Path) -> Process:
    return house.command("check", config=folder / "gateway.toml")


def _refused(house: House, done: Process, word: str) -> Observed:
    """What a command said, if it refused, and named what is wrong."""
    said = done.text().replace(f"{house.folder}/", "")
    line = next((line.strip() for line in said.splitlines() if word in line), "")
    return Observed(bool(done.status) and bool(line), f"status {done.status}: {line[:100]}")


def key_readable(house: House) -> Observed:
    folder = _copy(house, "key_readable")
    (folder / f"{OWN}.key").chmod(0o644)
    return _refused(house, _checked(house, folder), f"{OWN}.key")


def password_readable(house: House) -> Observed:
    folder = _copy(house, "password_readable")
    (folder / "mqtt.password").chmod(0o644)
    return _refused(house, _checked(house, folder), "mqtt.password")


def key_cut_short(house: House) -> Observed:
    folder = _copy(house, "short")
    file = folder / f"{OWN}.key"
    file.write_text(file.read_text(encoding="ascii")[:40], encoding="ascii")
    return _refused(house, _checked(house, folder), f"{OWN}.key")


def console_to_all(house: House) -> Observed:
    folder = _copy(house, "open")
    config = folder / "gateway.toml"
    text = config.read_text(encoding="utf-8").replace("[console]\n", '[console]\nhost = "0.0.0.0"\n')
    config.write_text(text, encoding="utf-8")
    return _refused(house, _checked(house, folder), "console.host")


def unknown_setting(house: House) -> Observed:
    folder = _copy(house, "unknown")
    config = folder / "gateway.toml"
    config.write_text(config.read_text(encoding="utf-8") + "allow_everybody = true\n", encoding="utf-8")
    return _refused(house, _checked(house, folder), "allow_everybody")


def made_up_report(house: House) -> Observed:
    """In the name of a technician who counts, signed by a key that is not his."""
    file = house.folder / "report.json"
    body = {"terminal": OWN, "technician": TECHNICIAN_NAME}
    file.write_bytes(signed.sign(commissioning.REPORT, body, TECHNICIAN_NAME, Ed25519PrivateKey.generate()))
    before = (house.config.parent / "terminals.toml").read_bytes()
    seen = _refused(house, house.command("admit", str(file)), "signature: ")
    same = (house.config.parent / "terminals.toml").read_bytes() == before
    return Observed(seen.held and same, f"{seen.text}; the registry is untouched {same}")


def made_up_release(house: House) -> Observed:
    """A whole one, signed by a key that no terminal knows."""
    file, now_s = house.folder / "release.wlb", house.clock.now_ms() // 1000
    described = release.described(now_s, "9.9.9", "unix", now_s + updates.DATE_S)
    key = ReleaseKey(ec.generate_private_key(ec.SECP256R1()))
    file.write_bytes(release.make({"terminal/begin.mpy": house.random.randbytes(5_000)}, described, key))
    return _refused(house, house.command("update", "--bundle", str(file), "--canary", "100"), "key: signed with")


MOVES = [
    Move(WHO, "lets others read a terminal's key", "S-20", "refused at start, by its path", key_readable),
    Move(WHO, "lets others read a password", "S-20", "refused at start, by its path", password_readable),
    Move(WHO, "cuts a key short", "S-20", "refused at start, by its path", key_cut_short),
    Move(WHO, "opens the console to everybody", "S-27", "refused at start, by its key", console_to_all),
    Move(WHO, "writes a setting that there is not", "S-27", "refused at start, by its key", unknown_setting),
    Move(WHO, "sends a report that nobody signed", "S-29", "refused, the registry is untouched", made_up_report),
    Move(WHO, "rolls out a release that somebody else signed", "S-22", "refused", made_up_release),
]
