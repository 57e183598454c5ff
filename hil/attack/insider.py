"""A careless insider: files that others may read, weak settings, wrong documents."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware.field.update import release
from firmware.field.update.keys import ReleaseKey
from hil import updates
from hil.attack.house import OWN, TECHNICIAN, TECHNICIAN_NAME, House
from hil.attack.move import Move, Observed
from hil.process import Process
from protocol.host import commissioning, signed

WHO = "a careless insider"
SIGNATURE = "signature: "
LOG_OF_CHANGES = "console.sqlite3"


def _spoilt(house: House, spoil: Callable[[Path], None], word: str) -> Observed:
    """What `check` says of a copy that is spoilt so; of the copy as it was, it must have had nothing to say."""
    folder = house.copied(spoil.__name__.strip("_"))
    config = folder / "gateway.toml"
    taken = house.command("check", config=config).status == 0
    spoil(folder)
    return _refused(house, house.command("check", config=config), word, taken=taken)


def _refused(house: House, done: Process, word: str, *, taken: bool, right: str = "the right one taken") -> Observed:
    """What a command said, if it refused, and named what is wrong. taken: what is right was not; right: in words."""
    said = done.text().replace(f"{house.folder}/", "")
    line = next((line.strip() for line in said.splitlines() if word in line), "")
    held = taken and bool(done.status) and bool(line)
    return Observed(held, f"{right} {taken}; status {done.status}: {line[:100]}")


def _key_readable(folder: Path) -> None:
    (folder / f"{OWN}.key").chmod(0o644)


def _password_readable(folder: Path) -> None:
    (folder / "mqtt.password").chmod(0o644)


def _key_cut_short(folder: Path) -> None:
    file = folder / f"{OWN}.key"
    file.write_text(file.read_text(encoding="ascii")[:40], encoding="ascii")


def _console_to_all(folder: Path) -> None:
    _edit(folder, lambda text: text.replace("[console]\n", '[console]\nhost = "0.0.0.0"\n'))


def _unknown_setting(folder: Path) -> None:
    _edit(folder, lambda text: f"{text}allow_everybody = true\n")


def _edit(folder: Path, change: Callable[[str], str]) -> None:
    config = folder / "gateway.toml"
    config.write_text(change(config.read_text(encoding="utf-8")), encoding="utf-8")


def made_up_report(house: House) -> Observed:
    """In the name of a technician who counts, signed by a key that is not his."""
    body = {"terminal": OWN, "technician": TECHNICIAN_NAME}
    before = (house.config.parent / "terminals.toml").read_bytes()

    def admitted(name: str, key: Ed25519PrivateKey) -> Process:
        file = house.folder / name
        file.write_bytes(signed.sign(commissioning.REPORT, body, TECHNICIAN_NAME, key))
        return house.command("admit", str(file))

    own = admitted("own.json", TECHNICIAN)  # its signature is right; what is in it is refused behind that
    forged = admitted("report.json", Ed25519PrivateKey.generate())
    past = own.status == forged.status and SIGNATURE not in own.text() and "own.json: " in own.text()
    seen = _refused(house, forged, SIGNATURE, taken=past, right="his own signature passes")
    same = (house.config.parent / "terminals.toml").read_bytes() == before
    return Observed(seen.held and same, f"{seen.text}; the registry is untouched {same}")


def made_up_release(house: House) -> Observed:
    """A whole one, signed by a key that no terminal knows; the same by the right key is taken, at a copy."""
    now_s = house.clock.now_ms() // 1000
    described = release.described(now_s, "9.9.9", "unix", now_s + updates.DATE_S)
    files = {"terminal/begin.mpy": house.random.randbytes(5_000)}

    def rolled_out(name: str, key: ReleaseKey, config: Path) -> Process:
        file = house.folder / name
        file.write_bytes(release.make(files, described, key))
        return house.command("update", "--bundle", str(file), "--canary", "100", config=config)

    copy = house.copied("rollout") / "gateway.toml"
    right = rolled_out("right.wlb", updates.key_of(house.scenario), copy)
    wrong = rolled_out("release.wlb", ReleaseKey(ec.generate_private_key(ec.SECP256R1())), house.config)
    return _refused(house, wrong, "key: signed with", taken=right.status == 0)


def edits_the_log_of_changes(house: House) -> Observed:
    """Another name in its first row, at a copy; before that, the copy is found whole."""
    folder = house.copied("edited", LOG_OF_CHANGES)
    whole = house.command("console-audit", config=folder / "gateway.toml").status == 0
    with closing(sqlite3.connect(folder / "data" / LOG_OF_CHANGES)) as copy, copy:
        changed = copy.execute("UPDATE audit SET who = 'nobody' WHERE id = 1").rowcount
    done = house.command("console-audit", config=folder / "gateway.toml")
    return _refused(house, done, "1: is not what was written", taken=whole and changed == 1, right="found whole before")


MOVES = [
    Move(
        WHO,
        "lets others read a terminal's key",
        "S-20",
        "refused at start, by its path",
        partial(_spoilt, spoil=_key_readable, word=f"{OWN}.key"),
    ),
    Move(
        WHO,
        "lets others read a password",
        "S-20",
        "refused at start, by its path",
        partial(_spoilt, spoil=_password_readable, word="mqtt.password"),
    ),
    Move(
        WHO,
        "cuts a key short",
        "S-20",
        "refused at start, by its path",
        partial(_spoilt, spoil=_key_cut_short, word=f"{OWN}.key"),
    ),
    Move(
        WHO,
        "opens the console to everybody",
        "S-27",
        "refused at start, by its key",
        partial(_spoilt, spoil=_console_to_all, word="console.host"),
    ),
    Move(
        WHO,
        "writes a setting that there is not",
        "S-27",
        "refused at start, by its key",
        partial(_spoilt, spoil=_unknown_setting, word="allow_everybody"),
    ),
    Move(WHO, "sends a report that nobody signed", "S-29", "refused, the registry is untouched", made_up_report),
    Move(WHO, "rolls out a release that somebody else signed", "S-22", "refused", made_up_release),
    Move(WHO, "edits the console's log of changes", "S-23, S-27", "found by its audit", edits_the_log_of_changes),
]
