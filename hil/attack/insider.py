"""A careless insider: files that others may read, weak settings, wrong documents."""

import shutil
from pathlib import Path

from hil.attack.house import OWN, House
from hil.attack.move import Move, Observed
from hil.process import Process

WHO = "a careless insider"


def _copy(house: House, name: str) -> Path:
    """The gateway's folder beside it, to be spoilt: what runs is untouched."""
    folder = house.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(house.config.parent, folder, ignore=shutil.ignore_patterns("data", "*.log"))
    return folder


def _checked(house: House, folder: Path) -> Process:
    return house.command("check", config=folder / "gateway.toml")


def _refused(done: Process, word: str) -> Observed:
    """What a command said, if it refused, and named what is wrong."""
    said = done.text()
    line = next((line.strip() for line in said.splitlines() if word in line), "")
    return Observed(bool(done.status) and bool(line), f"status {done.status}: {line[:100]}")


def key_readable(house: House) -> Observed:
    folder = _copy(house, "key_readable")
    (folder / f"{OWN}.key").chmod(0o644)
    return _refused(_checked(house, folder), f"{OWN}.key")


def password_readable(house: House) -> Observed:
    folder = _copy(house, "password_readable")
    (folder / "mqtt.password").chmod(0o644)
    return _refused(_checked(house, folder), "mqtt.password")


def key_cut_short(house: House) -> Observed:
    folder = _copy(house, "short")
    file = folder / f"{OWN}.key"
    file.write_text(file.read_text(encoding="ascii")[:40], encoding="ascii")
    return _refused(_checked(house, folder), f"{OWN}.key")


def console_to_all(house: House) -> Observed:
    folder = _copy(house, "open")
    config = folder / "gateway.toml"
    text = config.read_text(encoding="utf-8").replace("[console]\n", '[console]\nhost = "0.0.0.0"\n')
    config.write_text(text, encoding="utf-8")
    return _refused(_checked(house, folder), "console.host")


def unknown_setting(house: House) -> Observed:
    folder = _copy(house, "unknown")
    config = folder / "gateway.toml"
    config.write_text(config.read_text(encoding="utf-8") + "allow_everybody = true\n", encoding="utf-8")
    return _refused(_checked(house, folder), "allow_everybody")


def made_up_report(house: House) -> Observed:
    """A document that no technician signed; one that is none."""
    file = house.folder / "report.json"
    file.write_text('{"kind": "report", "terminal": "T0001", "signature": "00"}', encoding="utf-8")
    before = (house.config.parent / "terminals.toml").read_bytes()
    done = house.command("admit", str(file))
    same = (house.config.parent / "terminals.toml").read_bytes() == before
    said = (done.text().strip().splitlines() or [""])[0]
    return Observed(
        bool(done.status) and "Traceback" not in done.text() and same, f"status {done.status}: {said[:100]}"
    )


def made_up_release(house: House) -> Observed:
    file = house.folder / "release.bundle"
    file.write_bytes(house.random.randbytes(5_000))
    done = house.command("update", "--bundle", str(file), "--canary", "100")
    said = (done.text().strip().splitlines() or [""])[0]
    return Observed(bool(done.status) and "Traceback" not in done.text(), f"status {done.status}: {said[:100]}")


MOVES = [
    Move(WHO, "lets others read a terminal's key", "S-20", "refused at start, by its path", key_readable),
    Move(WHO, "lets others read a password", "S-20", "refused at start, by its path", password_readable),
    Move(WHO, "cuts a key short", "S-20", "refused at start, by its path", key_cut_short),
    Move(WHO, "opens the console to everybody", "S-27", "refused at start, by its key", console_to_all),
    Move(WHO, "writes a setting that there is not", "S-27", "refused at start, by its key", unknown_setting),
    Move(WHO, "sends a report that nobody signed", "S-29", "refused, the registry is untouched", made_up_report),
    Move(WHO, "rolls out something that is no release", "S-22", "refused", made_up_release),
]
