"""`wattline gateway admit` of what technicians send: taken once, whole, of whom it counts, and nothing else."""

import copy
import errno
import json
import os
import shutil
import tomllib
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from gateway import registry, registry_edit
from gateway.cli import app
from gateway.commissioning import admission
from gateway.config import VerifyConfig
from gateway.journal.journal import Journal
from gateway.keys import key_file, wrapping
from gateway.keys.wrapping import WrappingKeys
from gateway.rotation import keyring
from gateway.rotation.store import Store
from protocol.host import commissioning, sealing, signed
from tests.gateway.commissioning.newcomer import KEY, NEW, POINT, SECRET
from tests.gateway.support import NOW_S, Sender, accept, commit, event, write_config

Change = Callable[[dict[str, Any]], object]


class Office:
    """A gateway's files with a journal, and a technician who sends to it."""

    def __init__(self, folder: Path) -> None:
        self.config = write_config(folder, 1883, [Sender()])
        self.terminals = folder / "terminals.toml"
        self.folder = folder
        public = KEY.public_key().public_bytes_raw().hex()
        (folder / "technicians.toml").write_text(f'[[technician]]\nname = "li.wei"\nkey = "{public}"\n')
        self.sealing_key = self.run("sealing-key", "--json")[1]["sealing_key"]

    def run(self, *arguments: str) -> tuple[int, dict[str, Any], str]:
        answer = CliRunner().invoke(app, [arguments[0], "--config", str(self.config), *arguments[1:]])
        return answer.exit_code, json.loads(answer.stdout) if answer.stdout else {}, answer.stderr

    def enrolment(self, generation: int = 1, secret: bytes = SECRET, **more: Any) -> dict[str, Any]:
        sealed = sealing.seal(secret, bytes.fromhex(self.sealing_key), "T0042", generation)
        return {
            "terminal": "T0042",
            "enterprise": {"id": "E0001", "name": "First steelworks"},
            "place": "switchboard 1",
            "board": "esp32s3",
            "made": "2026-02-28T08:00:00Z",
            "generation": generation,
            "sealed_key": sealed.hex(),
            "points": [{"number": 1, **POINT, "register_step_wh": 800}],
            **more,
        }

    def report(self, enrolment: dict[str, Any], **more: Any) -> dict[str, Any]:
        meter = {"profile": "dtsu666", "address": 1, "serial": 7001, "ct_milli": 80_000}
        return {
            "terminal": "T0042",
            "enterprise": enrolment["enterprise"],
            "place": "switchboard 1",
            "technician": "li.wei",
            "began": "2026-02-28T08:00:00Z",
            "ended": "2026-02-28T08:09:30Z",
            "enrolment": commissioning.digest(enrolment),
            "board": {"kind": "esp32s3", "uid": "f412fa", "micropython": "1.25.0", "firmware": "0.1.0"},
            "first_record": {"epoch": NEW.epoch, "seq": 1},
            "points": [{"number": 1, **POINT, "meter": meter, "baseline": {"p_w": 41_000}, "wiring": "passed"}],
            "steps": [{"step": "test", "state": "passed", "ended": "2026-02-28T08:09:00Z"}],
            **more,
        }

    def send(self, body: dict[str, Any], signer: str = "li.wei", key: Ed25519PrivateKey = KEY) -> tuple[int, str]:
        """Admit a document; returns the exit status, and why it was refused."""
        kind = commissioning.REPORT if "ended" in body else commissioning.ENROLMENT
        file = self.folder / "sent.json"
        file.write_bytes(signed.sign(kind, body, signer, key))
        status, _, error = self.run("admit", str(file), "--json")
        return status, error.partition("sent.json: ")[2]

    def journal(self) -> None:
        """The terminal's first record arrives."""
        journal = Journal(self.folder / "data", VerifyConfig())
        commit(journal, [accept(NEW, NEW.frame([event(1)]))])
        journal.close()


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_an_enrolment_makes_a_terminal_known_and_its_report_what_it_is_verified_by(office: Office) -> None:
    """P-303, S-29"""
    before = office.terminals.read_text()
    enrolment = office.enrolment()
    assert office.send(enrolment) == (0, "")
    assert office.terminals.read_text().startswith(before)
    one = registry.load(office.terminals).get("T0042")
    assert one is not None
    assert (one.commissioned_s, one.points[1].register_step_wh, one.points[1].meter) == (None, 800, None)
    key = office.folder / "keys" / "T0042.1.hex"
    assert (key_file.read(key, "T0042.1", WrappingKeys()), key.stat().st_mode & 0o777) == (SECRET, 0o600)
    assert SECRET.hex() not in (office.folder / "sent.json").read_text()
    office.journal()
    assert office.send(office.report(enrolment)) == (0, "")
    one = registry.load(office.terminals).get("T0042")
    assert one is not None
    assert one.commissioned_s == NOW_S - 16 * 3600 + 570
    assert one.points[1].meter == registry.Meter(serial=7001, ct_milli=80_000)
    assert (one.points[1].ct_ratio, one.points[1].register_step_wh) == (80, 800)
    kept = sorted(path.name for path in (office.folder / "data" / "commissioning").iterdir())
    assert len(kept) == 2
    assert all(name.startswith("T0042.") for name in kept)


def at(*path: str | int | None) -> Change:
    """Sets what stands there to something else."""

    def change(body: dict[str, Any]) -> None:
        value: Any = body
        for key in path[:-2]:
            value = value[key]
        value[path[-2]] = path[-1]

    return change


REFUSED: dict[str, tuple[str, Change]] = {
    "a point more": ("conflict", lambda body: body["points"].append({**body["points"][0], "number": 2})),
    "another ratio": ("conflict", at("points", 0, "ct_ratio", 8)),
    "another rated power": ("conflict", at("points", 0, "rated_power_w", 16_000)),
    "another kind": ("conflict", at("points", 0, "kind", "treatment")),
    "a meter of another terminal": ("conflict", at("points", 0, "meter", "serial", 9009)),
    "a step that failed": ("unfinished", at("steps", 0, "state", "failed")),
    "a point that is wired wrongly": ("unfinished", at("points", 0, "wiring", "failed")),
    "another enrolment": ("unknown", at("enrolment", "0" * 64)),
    "a terminal that is not known": ("unknown", at("terminal", "T0043")),
    "a record that never came": ("unseen", at("first_record", "seq", 2)),
    "a word too much": ("form", at("mood", "good")),
    "an address that is none": ("form", at("points", 0, "meter", "address", None)),
    "a name with a line's end": ("form", at("terminal", "T0042\n")),
    "a point twice": ("form", lambda body: body["points"].append(body["points"][0])),
    "a day that is none": ("form", at("ended", "2026-02-31T08:00:00Z")),
    "the word of another": ("signer", at("technician", "wang.fang")),
    "an enrolment of a like name": ("unknown", lambda body: body.update(enrolment=body["enrolment"][:32] + 32 * "0")),
}


def commissioned(office: Office) -> dict[str, Any]:
    """Enrolled, with a first record, beside a terminal that has meter 9009; returns the report to send."""
    other = registry.Point(number=1, name="fan", kind="treatment", meter=registry.Meter(serial=9009))
    keys = [registry.KeyEntry(generation=1, file="T0001.hex")]
    registry_edit.put(office.terminals, registry.TerminalEntry(id="T0001", keys=keys, points=[other]))
    enrolment = office.enrolment()
    assert office.send(enrolment) == (0, "")
    office.journal()
    return office.report(enrolment)


def test_what_does_not_fit_is_refused_and_changes_nothing(office: Office) -> None:
    """P-303"""
    report = commissioned(office)
    text = office.terminals.read_text()
    for name, (reason, change) in REFUSED.items():
        body = copy.deepcopy(report)
        change(body)
        status, why = office.send(body)
        assert (status, why.partition(":")[0]) == (1, reason), name
    assert office.send(report, "mallory")[1].startswith("signer: ")
    assert office.send(report, key=Ed25519PrivateKey.generate())[1].startswith("signature: ")
    file = office.folder / "sent.json"
    altered = json.loads(signed.sign(commissioning.REPORT, report, "li.wei", KEY))
    altered["body"]["points"][0]["baseline"]["p_w"] = 0
    file.write_text(json.dumps(altered))
    assert "signature: " in office.run("admit", str(file))[2]
    assert office.terminals.read_text() == text
    assert office.send(report) == (0, "")


def test_a_document_that_is_not_there_is_named(office: Office) -> None:
    """P-512"""
    file = office.folder / "T0042.enrolment.json"
    status, _, error = office.run("admit", str(file))
    assert (status, error) == (1, f"{file}: can't be read / 无法读取: No such file or directory\n")


def test_what_was_taken_once_is_refused_and_so_is_what_is_older(office: Office) -> None:
    """P-303, P-341"""
    enrolment = office.enrolment()
    assert office.send(enrolment) == (0, "")
    assert office.send(enrolment)[1].startswith("replayed: ")
    assert office.send(office.enrolment(secret=b"x" * 32))[1].startswith("conflict: T0042: generation 1 has a key")
    assert office.send(office.enrolment(2, b"x" * 32, points=[{"number": 1, **POINT, "name": "fan"}]))[0] == 1
    assert office.send(office.enrolment(2, b"x" * 32)) == (0, "")
    assert list(registry.load(office.terminals).get("T0042").states) == [1, 2]  # type: ignore[union-attr]
    office.journal()
    report = office.report(enrolment)
    assert office.send(report) == (0, "")
    assert office.send(report)[1].startswith("replayed: ")
    assert office.send({**report, "ended": "2026-02-27T08:00:00Z"})[1].startswith("replayed: ")
    later = copy.deepcopy({**report, "ended": "2026-03-09T08:00:00Z"})
    later["points"][0]["meter"]["serial"] = 7002  # the meter was replaced, and the place commissioned anew
    assert office.send(later) == (0, "")
    (entry,) = (one for one in tomllib.loads(office.terminals.read_text())["terminal"] if one["id"] == "T0042")
    assert entry["points"][0]["meter"]["serial"] == 7002
    assert entry["commissioned"].day == 28
    assert entry["board"] == "esp32s3"


def test_an_enrolment_of_a_key_that_was_taken_away_is_refused(office: Office) -> None:
    """P-303"""
    first = office.enrolment()
    assert office.send(first) == (0, "")
    assert office.send(office.enrolment(2, b"x" * 32)) == (0, "")
    text = office.terminals.read_text()
    without = text.replace('{generation = 1, file = "keys/T0042.1.hex"}, ', "")
    assert without != text
    office.terminals.write_text(without)
    assert office.send(first)[1].startswith("replayed: ")
    twice = office.enrolment(3, points=[{"number": 1, **POINT}] * 2)
    assert office.send(twice)[1].startswith("form: ")
    assert not (office.folder / "keys" / "T0042.3.hex").exists()
    assert office.run("revoke", "T0042", "--json")[0] == 0
    text = office.terminals.read_text()
    assert office.send(office.enrolment(3, b"y" * 32))[1].startswith("conflict: T0042: revoked")
    assert office.terminals.read_text() == text


def test_an_enrolment_below_what_was_agreed_on_over_the_air_is_refused(office: Office) -> None:
    """P-412: the technician is told which generation it must have."""
    office.send(office.enrolment())
    store = Store(office.folder / "data")
    with closing(store), store.writing() as connection:
        keyring.keep(connection, ("T0042", 2, keyring.KEY), b"s" * 32, WrappingKeys(), 0)
    status, said = office.send(office.enrolment(2, b"n" * 32))
    assert status == 1
    assert "--generation 3" in said
    assert office.send(office.enrolment(3, b"n" * 32))[0] == 0


def test_a_report_of_the_future_is_refused_and_blocks_no_honest_one(office: Office) -> None:
    """P-356: a laptop whose clock is ahead is told so; one that was taken by an earlier version counts no more."""
    report = commissioned(office)
    text = office.terminals.read_text()
    ahead = {**report, "ended": "2090-01-01T00:00:00Z"}
    status, why = office.send(ahead)
    assert (status, why.startswith("future: T0042: ended 2090"), "laptop's clock" in why) == (1, True, True)
    assert office.terminals.read_text() == text
    kept = office.folder / "data" / "commissioning" / f"T0042.{commissioning.digest(ahead)[:32]}.json"
    kept.write_bytes(signed.sign(commissioning.REPORT, ahead, "li.wei", KEY))
    assert office.send(report) == (0, "")
    now = datetime.now(UTC)
    for minutes, reason in ((5, ""), (30, "future: ")):  # a clock is never quite right
        ended = (now + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert office.send({**report, "ended": ended})[1].startswith(reason)


def test_two_who_change_the_terminals_at_once_both_do(office: Office) -> None:
    """P-303: whoever revokes a terminal while its report is taken has it revoked."""
    report = commissioned(office)
    taken = admission.admit_report

    def slowly(*arguments: Any) -> registry.TerminalEntry:
        revoking.start()
        revoking.join(0.05)  # it waits, however long this takes
        return taken(*arguments)

    revoking = Thread(target=registry_edit.revoke, args=(office.terminals, "T0042", datetime(2026, 3, 1, tzinfo=UTC)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(admission, "admit_report", slowly)
        assert office.send(report) == (0, "")
    revoking.join()
    found = registry.load(office.terminals).revoked("T0042")
    assert found is not None
    assert found.points[1].meter == registry.Meter(serial=7001, ct_milli=80_000)


STEPS = ((registry_edit, "_replace"), (admission, "_keep"))  # what is done last, and before or after it


def refuse(*_: object) -> None:
    raise OSError(errno.EIO, "cut")


def test_a_cut_between_two_steps_leaves_what_the_same_command_finishes(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-303"""
    enrolment = office.enrolment()
    for place, name in STEPS:
        with monkeypatch.context() as cut:
            cut.setattr(place, name, refuse)
            assert office.send(enrolment)[0] == 1
    assert office.send(enrolment) == (0, "")
    office.journal()
    report = office.report(enrolment)
    for place, name in STEPS:
        with monkeypatch.context() as cut:
            cut.setattr(place, name, refuse)
            assert office.send(report)[0] == 1
    assert office.send(report) == (0, "")


def test_a_key_that_was_sealed_for_another_gateway_is_refused_and_no_key_is_shown(office: Office) -> None:
    """P-302"""
    other = office.sealing_key
    (office.folder / "sealing.key").unlink()
    office.sealing_key = office.run("sealing-key", "--json")[1]["sealing_key"]
    assert office.sealing_key != other
    sealed = sealing.seal(SECRET, bytes.fromhex(other), "T0042", 1).hex()
    status, why = office.send(office.enrolment(sealed_key=sealed))
    assert (status, why.partition(":")[0]) == (1, "key")
    assert not (office.folder / "keys").exists()
    shutil.copy(office.folder / "sealing.key", office.folder / "copy.key")
    assert (office.folder / "sealing.key").stat().st_mode & 0o777 == 0o600
    (office.folder / "sealing.key").chmod(0o644)
    error = office.run("sealing-key")[2]
    assert "chmod 600" in error
    assert (office.folder / "copy.key").read_text().strip() not in error


def test_where_there_is_a_wrapping_key_what_comes_lies_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-401: a terminal's key, and our own."""
    monkeypatch.setenv(wrapping.VARIABLE, "5a" * 32)
    office = Office(tmp_path)
    assert office.send(office.enrolment()) == (0, "")
    for file in (tmp_path / "keys" / "T0042.1.hex", tmp_path / "sealing.key"):
        assert wrapping.is_sealed(file.read_bytes())
    assert registry.load(office.terminals).get("T0042") is not None


def test_what_root_admits_the_gateway_can_read(office: Office) -> None:
    """P-455: its next start is refused for a key that is root's; and so is the console, that keeps documents, too."""
    (office.folder / "sealing.key").unlink()
    (office.folder / "data").mkdir()
    if os.geteuid() == 0:
        for one in (office.folder, *office.folder.rglob("*")):
            os.chown(one, 12_345, 12_346)
    office.sealing_key = office.run("sealing-key", "--json")[1]["sealing_key"]
    (office.folder / "sent.json").touch()  # the technician's
    assert office.send(office.enrolment()) == (0, "")
    made = [one for one in office.folder.rglob("*") if one.name != "sent.json"]
    assert {"sealing.key", "keys", "T0042.1.hex", "commissioning"} <= {one.name for one in made}
    owner = office.folder.stat()
    assert {(one.stat().st_uid, one.stat().st_gid) for one in made} == {(owner.st_uid, owner.st_gid)}


def test_a_wrong_file_of_technicians_is_told_by_check_and_takes_nobody(office: Office) -> None:
    """P-303"""
    enrolment = office.enrolment()
    file = office.folder / "technicians.toml"
    right = file.read_text()
    for wrong, said in (
        (right + right, "already that of technician[0]"),
        (right.replace('key = "', 'key = "x'), "64 hex digits"),
        ('[[technician]]\nname = "li wei"\nkey = "00"\n', "1 to 64 characters"),
    ):
        file.write_text(wrong)
        status, told, _ = office.run("check", "--json")
        assert (status, said in told["warnings"][0]["problem"]) == (0, True)
        assert office.send(enrolment)[0] == 1
    file.write_text(right + "revoked = 2026-02-01T00:00:00Z\n")
    assert office.send(enrolment)[1].startswith("signer: ")
    file.write_text(right)
    assert office.send(enrolment) == (0, "")
