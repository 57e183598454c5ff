"""Another authority without a visit, on files: both believed meanwhile, each step cut off and called again."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from typer.testing import CliRunner

from gateway.cli import app
from gateway.files import write_secret
from gateway.pki import folder
from gateway.pki.authority import CLIENT, DER, PEM, Authority
from gateway.pki.folder import TRIES, Folder, PkiError
from protocol import der
from tests.gateway.pki.known import all_known

PASSPHRASE = "twelve characters"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def made(where: Path) -> Folder:
    place = Folder(where / "pki")
    place.create("First", PASSPHRASE, NOW)
    place.issue(place.open(PASSPHRASE), "T0001", CLIENT, where / "T0001", NOW)
    return place


def document(place: Folder, out: Path, end: datetime | None = None) -> list[x509.Certificate]:
    place.renew(place.open(PASSPHRASE), "T0001", end, out, NOW)
    return [x509.load_der_x509_certificate(one) for one in der.split((out / "T0001.der").read_bytes())]


def key_of(certificate: x509.Certificate) -> object:
    key = certificate.public_key()
    assert isinstance(key, EllipticCurvePublicKey)
    return key.public_numbers()


def test_a_certificate_is_renewed_over_the_terminals_own_key(tmp_path: Path) -> None:
    """P-417: no key travels; it ends when it is said to, and both serials are revoked with the name."""
    place = made(tmp_path)
    own, *authorities = document(place, tmp_path / "out", NOW + timedelta(days=730))
    before = x509.load_der_x509_certificate((tmp_path / "T0001" / "client.der").read_bytes())
    assert key_of(own) == key_of(before)
    assert own.not_valid_after_utc == NOW + timedelta(days=730)
    assert [one.public_bytes(DER) for one in authorities] == [place.open(PASSPHRASE)[0].own.certificate_bytes(DER)]
    revoked = place.revoke(place.open(PASSPHRASE), "T0001", NOW)
    assert sorted(revoked) == sorted([own.serial_number, before.serial_number])
    with pytest.raises(PkiError, match="T0001: has no certificate"):
        document(place, tmp_path / "out")


def test_an_authority_is_changed_and_both_are_believed_meanwhile(tmp_path: Path) -> None:
    """P-417: the next one issues at once; who is revoked stays so on both lists; at the end the first one is gone."""
    place = made(tmp_path)
    (first,) = place.open(PASSPHRASE)
    with pytest.raises(PkiError, match="another one"):
        place.roll("First", PASSPHRASE, NOW)
    with pytest.raises(PkiError, match="begin by"):
        place.finish(PASSPHRASE, NOW)
    place.roll("Second", PASSPHRASE, NOW)
    assert [one.name for one in place.open(PASSPHRASE)] == ["Second", "First"]
    own, *authorities = document(place, tmp_path / "out")
    own.verify_directly_issued_by(authorities[0])
    assert authorities[1] == first.own.certificate
    lists = (place.path / "revoked.pem").read_bytes().split(b"-----END X509 CRL-----\n")[:-1]
    assert len(lists) == (place.path / "authorities.pem").read_bytes().count(b"BEGIN") == 2
    with pytest.raises(PkiError, match="--finish"):
        place.roll("Third", PASSPHRASE, NOW)
    place.finish(PASSPHRASE, NOW)
    (second,) = place.open(PASSPHRASE)
    assert second.own.certificate == authorities[0]
    assert [one.public_bytes(DER) for one in document(place, tmp_path / "out")[1:]] == [
        second.own.certificate_bytes(DER)
    ]
    assert sorted(one.name for one in place.path.glob("ca.*")) == ["ca.key", "ca.pem"]


def test_a_change_that_is_cut_off_at_any_step_can_be_called_again(tmp_path: Path) -> None:
    """P-417: nothing but the certificate's file decides which authority issues."""
    place = made(tmp_path)
    write_secret(place.path / "ca.next.key", "of a change that was cut off before its certificate")
    place.roll("Second", PASSPHRASE, NOW)
    (place.path / "ca.next.key").rename(place.path / "ca.key")  # the first step of the end, and a cut
    assert [one.name for one in place.open(PASSPHRASE)] == ["Second"]
    assert place.finish(PASSPHRASE, NOW).name == "Second"
    assert [one.name for one in place.open(PASSPHRASE)] == ["Second"]


class Killed(BaseException):
    """The process is no more."""


@pytest.mark.parametrize("command", ["roll", "finish"])
def test_killed_before_any_write_it_is_called_again_and_brokers_get_the_whole_list(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-417: it says that there is nothing left to do only where all files are as they are to be."""
    left = [0]

    def watched(call: Callable[..., Any]) -> Callable[..., Any]:
        def made_(*args: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return call(*args, **more)

        return made_

    for owner, name in ((folder, "write_durably"), (folder, "write_secret"), (Path, "rename")):
        monkeypatch.setattr(owner, name, watched(getattr(owner, name)))
    for step in range(1, 40):
        place = made(tmp_path / f"{step}")
        do: dict[str, Callable[[], object]] = {
            "roll": partial(place.roll, "Second", PASSPHRASE, NOW),
            "finish": partial(place.finish, PASSPHRASE, NOW),
        }
        if command == "finish":
            do["roll"]()
        left[0] = step
        is_killed = False
        try:
            do[command]()
        except Killed:
            is_killed = True
            with suppress(PkiError):
                do[command]()
        wanted = ["Second", "First"] if command == "roll" else ["Second"]
        assert [one.name for one in place.open(PASSPHRASE)] == wanted, step
        believed = x509.load_pem_x509_certificates((place.path / "authorities.pem").read_bytes())
        assert believed == [one.own.certificate for one in place.open(PASSPHRASE)], step
        if not is_killed:
            assert step > 5
            return
    raise AssertionError("it never came to its end")


@pytest.mark.parametrize("command", ["roll", "finish"])
def test_who_is_revoked_while_the_authority_is_changed_stays_so(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-456: on all lists; where the authority was another one by then, it says so, and is done again."""
    place = made(tmp_path)
    if command == "finish":
        place.roll("Second", PASSPHRASE, NOW)
    own, read, waited = place.open(PASSPHRASE), Folder._revoked, list[float]()

    def read_and_revoke(self: Folder) -> dict[int, int]:
        found = read(self)
        monkeypatch.setattr(Folder, "_revoked", read)
        with pytest.raises(PkiError, match="another `pki` command"):  # between reading the list and writing it
            Folder(place.path, waited.append).revoke(own, "T0001", NOW)
        return found

    monkeypatch.setattr(Folder, "_revoked", read_and_revoke)
    place.roll("Second", PASSPHRASE, NOW) if command == "roll" else place.finish(PASSPHRASE, NOW)
    assert len(waited) == TRIES
    with pytest.raises(PkiError, match="changed meanwhile; do it again"):
        place.revoke(own, "T0001", NOW)
    own = place.open(PASSPHRASE)
    place.revoke(own, "T0001", NOW)
    assert (place.path / "revoked.pem").read_bytes().count(b"BEGIN") == len(own)
    assert [bool(one.revoked_s) for one in all_known(place)] == [True]


@pytest.mark.parametrize("days", [None, 400])
def test_nothing_is_issued_beyond_the_authoritys_own_end(tmp_path: Path, days: int | None) -> None:
    """P-457: it says how long is left, and what to do; nothing is written."""
    place = made(tmp_path)
    (before,) = place.open(PASSPHRASE)
    short = Authority.create("First", before.own.key, NOW + timedelta(days=300 if days else -1, hours=1))
    (place.path / "ca.pem").write_bytes(short.own.certificate_bytes(PEM))
    own = place.open(PASSPHRASE)
    said = "--days 300 or fewer, or another authority" if days else r"ends [\d-]+: another authority by `roll-ca`"
    end = None if days is None else NOW + timedelta(days=days)
    for work in (
        partial(place.issue, own, "T0002", CLIENT, tmp_path / "T0002", NOW, end),
        partial(place.renew, own, "T0001", end, tmp_path / "out", NOW),
    ):
        with pytest.raises(PkiError, match=said):
            work()
    assert len(all_known(place)) == 1
    assert not (tmp_path / "T0002").exists()


def test_an_authority_that_has_ended_can_be_changed_all_the_same(tmp_path: Path) -> None:
    """P-457: that is what it says to do; who was revoked stays so."""
    place = made(tmp_path)
    (before,) = place.open(PASSPHRASE)
    ended = Authority.create("First", before.own.key, NOW - timedelta(days=1))
    (place.path / "ca.pem").write_bytes(ended.own.certificate_bytes(PEM))
    place.revoke(place.open(PASSPHRASE), "T0001", NOW)
    place.roll("Second", PASSPHRASE, NOW)
    assert [one.name for one in place.open(PASSPHRASE)] == ["Second", "First"]
    place.finish(PASSPHRASE, NOW)
    place.issue(place.open(PASSPHRASE), "T0002", CLIENT, tmp_path / "T0002", NOW)
    assert {one.name: bool(one.revoked_s) for one in all_known(place)} == {"T0001": True, "T0002": False}


def test_the_commands_renew_and_roll(tmp_path: Path) -> None:
    """P-417."""
    place = made(tmp_path)
    write_secret(tmp_path / "passphrase", PASSPHRASE + "\n")
    common = ["--folder", str(place.path), "--passphrase-file", str(tmp_path / "passphrase")]

    def said(*words: str) -> int:
        return CliRunner().invoke(app, ["pki", *words, *common]).exit_code

    out = str(tmp_path / "out")
    assert said("renew", "--all", "--days", "730", "--out", out) == 0
    assert said("renew", "T0009", "--out", out) == 1
    assert said("renew", "--out", out) == said("roll-ca") == 2
    assert said("roll-ca", "--name", "Second") == said("roll-ca", "--finish") == 0
    assert said("roll-ca", "--finish") == 1
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["T0001.der"]
