"""The authority's folder: changed by one at a time, and read past what is damaged in it."""

import fcntl
import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from typer.testing import CliRunner

from gateway.cli import app
from gateway.files import write_secret
from gateway.pki.authority import CLIENT, DER, PEM, SERVER
from gateway.pki.folder import TRIES, Folder, PkiError

PASSPHRASE = "twelve characters"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = ("T0001", "T0002", "T0003")


def made(where: Path) -> Folder:
    place = Folder(where / "pki")
    place.create("First", PASSPHRASE, NOW)
    for name in NAMES:
        place.issue(place.open(PASSPHRASE), name, CLIENT, where / name, NOW)
    return place


def writers(place: Folder, out: Path) -> dict[str, Callable[[], object]]:
    """All that writes to the folder, ready to do so."""
    own = place.open(PASSPHRASE)
    return {
        "init": partial(place.create, "Other", PASSPHRASE, NOW),
        "terminal": partial(place.issue, own, "T0009", CLIENT, out, NOW),
        "broker": partial(place.issue, own, "mqtt.example.org", SERVER, out, NOW),
        "renew": partial(place.renew, own, "T0001", None, out, NOW),
        "revoke": partial(place.revoke, own, "T0001", NOW),
        "roll-ca": partial(place.roll, "Second", PASSPHRASE, NOW),
        "roll-ca --finish": partial(place.finish, PASSPHRASE, NOW),
    }


def held(place: Folder) -> int:
    """The folder, as another process has it that changes it."""
    descriptor = os.open(place.path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def files(place: Folder) -> dict[Path, bytes]:
    return {one: one.read_bytes() for one in place.path.rglob("*") if one.is_file()}


def test_while_one_changes_the_folder_no_other_does(tmp_path: Path) -> None:
    """P-493: who comes meanwhile says after a minute that another one is at work, and has written nothing."""
    place, waited = made(tmp_path), list[float]()
    before, descriptor = files(place), held(place)
    for name, write in writers(Folder(place.path, waited.append), tmp_path / "out").items():
        waited.clear()
        with pytest.raises(PkiError, match=r"another `pki` command is at work here.*正在执行"):
            write()
        assert (len(waited), round(sum(waited))) == (TRIES, 60), name
    os.close(descriptor)
    assert files(place) == before
    assert not (tmp_path / "out").exists()


def test_who_waits_has_the_turn_when_the_other_one_is_done(tmp_path: Path) -> None:
    """P-493: and does what it was to do."""
    place, waited = made(tmp_path), list[float]()
    descriptor = held(place)

    def pause(for_s: float) -> None:
        waited.append(for_s)
        if len(waited) == 3:
            os.close(descriptor)

    writers(Folder(place.path, pause), tmp_path / "out")["terminal"]()
    assert len(waited) == 3
    assert (tmp_path / "out" / "client.key.der").exists()


@pytest.mark.parametrize("command", ["terminal", "broker", "renew", "revoke"])
def test_nothing_is_issued_by_an_authority_that_was_changed_meanwhile(command: str, tmp_path: Path) -> None:
    """P-493: between the passphrase and the turn; a certificate by one that nobody believes would not be known."""
    place = made(tmp_path)
    write = writers(place, tmp_path / "out")[command]
    place.roll("Second", PASSPHRASE, NOW)
    place.finish(PASSPHRASE, NOW)
    before = files(place)
    with pytest.raises(PkiError, match="changed meanwhile; do it again / 机构已更换"):
        write()
    assert files(place) == before
    assert not (tmp_path / "out").exists()
    writers(place, tmp_path / "out")[command]()


def spoilt(place: Folder) -> list[Path]:
    """The first one's certificate is damaged; another file can't be read, a third is none that was issued."""
    damaged = next((place.path / "issued").glob("T0001.*"))
    damaged.write_bytes(damaged.read_bytes()[:200])
    unreadable, foreign = place.path / "issued/T0000.1.pem", place.path / "issued/A.pem"
    unreadable.mkdir()
    foreign.write_bytes((place.path / "ca.pem").read_bytes())
    return [foreign, unreadable, damaged]


def test_what_is_damaged_hides_nothing_else_that_was_issued(tmp_path: Path) -> None:
    """P-494: it is named; the others are listed and renewed."""
    place, unread = made(tmp_path), list[PkiError]()
    wrong = spoilt(place)
    assert [one.name for one in place.known(unread.append)] == ["T0002", "T0003"]
    assert [str(error).partition(": ")[0] for error in unread] == list(map(str, wrong))
    write_secret(tmp_path / "passphrase", PASSPHRASE + "\n")
    opened = ["--folder", str(place.path), "--passphrase-file", str(tmp_path / "passphrase")]
    for words in (["list", *opened[:2]], ["renew", "--all", "--out", str(tmp_path / "out"), *opened]):
        done = CliRunner().invoke(app, ["pki", *words])
        assert done.exit_code == 1
        assert all(str(file) in done.stderr for file in wrong), done.stderr
        assert "T0003" in done.stdout or "2 renewed" in done.stdout
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["T0002.der", "T0003.der"]


def test_a_folder_without_an_authority_is_none_that_lost_its_list(tmp_path: Path) -> None:
    """P-512"""
    done = CliRunner().invoke(app, ["pki", "list", "--folder", str(tmp_path / "pki")])
    assert done.exit_code == 1
    assert f"{tmp_path / 'pki'}: no authority here, make one by `init`" in done.stderr


@pytest.mark.parametrize("name", ["/T0001", "../T0001", "*", "T000?", "", "x" * 300])
def test_a_name_that_nobody_can_have_has_no_certificate(name: str, tmp_path: Path) -> None:
    """P-512"""
    place = made(tmp_path)
    own = place.open(PASSPHRASE)
    for write in (partial(place.revoke, own, name, NOW), partial(place.renew, own, name, None, tmp_path / "out", NOW)):
        with pytest.raises(PkiError, match="has no certificate that counts"):
            write()


def test_a_certificate_that_is_damaged_can_be_revoked(tmp_path: Path) -> None:
    """P-494: by the serial in its file's name; so can the others, and a terminal whose own is damaged is named."""
    place = made(tmp_path)
    serials = {one.name: one.serial for one in place.known(print)}
    *_, damaged = spoilt(place)
    with pytest.raises(PkiError, match=f"{damaged}: damaged"):
        place.renew(place.open(PASSPHRASE), "T0001", None, tmp_path / "out", NOW)
    for name in ("T0001", "T0003"):
        assert place.revoke(place.open(PASSPHRASE), name, NOW) == [serials[name]]
    place.issue(place.open(PASSPHRASE), "T0004", CLIENT, tmp_path / "T0004", NOW)
    (rotten,) = (place.path / "issued").glob("T0004.*")
    issued = x509.load_pem_x509_certificate(rotten.read_bytes())
    serial = issued.serial_number.to_bytes(20, "big")[-8:]
    other = issued.public_bytes(DER).replace(serial, bytes(8))
    rotten.write_bytes(x509.load_der_x509_certificate(other).public_bytes(PEM))  # can be read, as another serial's
    assert place.revoke(place.open(PASSPHRASE), "T0004", NOW) == [issued.serial_number]
    nameless = place.path / "issued/T0004.copy.pem"
    nameless.write_text("damaged")
    with pytest.raises(PkiError, match=f"{nameless}: damaged"):
        place.revoke(place.open(PASSPHRASE), "T0004", NOW)
