"""Releases: what `wattline field bundle` makes, shows and refuses."""

import hashlib
import json
import shutil
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from firmware import image as images
from firmware.field import site
from firmware.field.cli import app
from firmware.field.commission import provision
from firmware.field.update import keys, release
from protocol import sign1, update
from protocol.host import bundle
from protocol.host.strict import ConfigError

EXAMPLE = images.ROOT / "deploy/example/site.toml"

FILES = {"terminal/app.mpy": b"code", "boards/unix.mpy": b"board", "profiles/m.json": b"{}"}


def run(*args: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["bundle", *map(str, args)])
    return done.exit_code, done.output


@pytest.fixture
def key(tmp_path: Path) -> Path:
    assert run("keygen", tmp_path / "release.pem")[0] == 0
    return tmp_path / "release.pem"


def image(folder: Path) -> Path:
    for path, data in {**FILES, "main.py": b"loader", "loader/start.mpy": b"loader"}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def test_what_is_made_is_shown_and_is_the_image_without_its_loader(tmp_path: Path, key: Path) -> None:
    """P-262"""
    out = tmp_path / "r.wlb"
    root = image(tmp_path / "image")
    precursor = hashlib.sha256(b"before").hexdigest()
    made = ("--from", root, "--number", 7, "--precursor", precursor, "--out", out)
    status, said = run("make", "--board", "rp2", "--key", key, *made)
    assert status == 0, said
    found = bundle.read(out.read_bytes(), [keys.load_point(key.with_suffix(".pub.pem"))])
    assert [one.path for one in found.files] == sorted(FILES)
    assert found.payload.endswith(b"".join(FILES[path] for path in sorted(FILES)))
    assert found.manifest.application == hashlib.sha256(found.payload[: found.manifest.index_bytes]).digest()
    status, said = run("show", out, "--key", key.with_suffix(".pub.pem"), "--json")
    assert status == 0
    told = json.loads(said)
    assert (told["number"], told["board"], told["precursors"]) == (7, "rp2", [precursor])
    assert told["files"] == len(FILES)


def test_a_release_of_this_checkout_is_its_image(tmp_path: Path, key: Path) -> None:
    """P-262: of the real image, and within the bounds that a terminal has."""
    out = tmp_path / "r.wlb"
    status, said = run("make", "--board", "esp32s3", "--key", key, "--out", out)
    assert status == 0, said
    found = bundle.read(out.read_bytes())
    assert {"terminal/app.mpy", "protocol/update.mpy", "boards/esp32s3.mpy"} <= {one.path for one in found.files}
    assert not any(one.path.startswith(images.LOADED_BY) for one in found.files)
    assert len(found.payload) < update.PAYLOAD_BYTES_MAX // 2


def app_bin(chip_id: int = 9, version: str = "v1.27.0") -> bytes:
    """As MicroPython's *.app-bin begins: image header, segment header, description."""
    head = b"\xe9\x06\x02\x30" + bytes(8) + chip_id.to_bytes(2, "little") + bytes(10 + 8)
    return head + (0xABCD5432).to_bytes(4, "little") + bytes(12) + version.encode().ljust(64, b"\0") + bytes(9000)


def test_a_release_of_a_whole_image_is_made_and_checked(tmp_path: Path, key: Path) -> None:
    """P-346: for the board of its chip, with the version that it tells; what is no image for one is refused."""
    file, out = tmp_path / "micropython.app-bin", tmp_path / "image.wlb"
    file.write_bytes(app_bin())
    assert run("make-image", file, "--key", key, "--number", "2000", "--out", out)[0] == 0
    status, said = run("show", out, "--key", key.with_suffix(".pub.pem"), "--json")
    told = json.loads(said)
    assert (status, told["kind"], told["board"], told["version"]) == (0, "image", "esp32s3", "1.27.0")
    assert (told["number"], told["files"], told["payload_bytes"]) == (2000, 0, len(app_bin()))
    assert bundle.read(out.read_bytes()).payload == app_bin()
    out.write_bytes(out.read_bytes()[:-1] + b"x")
    assert "file: " in run("show", out)[1]
    for content, word in ((app_bin(5), "ESP32-C3"), (b"UF2\n" + bytes(9000), ".app-bin"), (b"", ".app-bin")):
        file.write_bytes(content)
        status, said = run("make-image", file, "--key", key)
        assert (status, word in said) == (1, True), said


def test_an_altered_bundle_and_another_key_are_named(tmp_path: Path, key: Path) -> None:
    """P-262"""
    signer = keys.load(key)
    data = release.make(FILES, release.described(7, "1", "rp2", 2**31), signer)
    assert release.make(FILES, release.described(7, "1", "rp2", 2**31), signer) == data
    out = tmp_path / "r.wlb"
    for altered, word in ((data[:-1] + b"\x00", "file"), (data + b"\x00", "extra"), (data[:-1], "malformed")):
        out.write_bytes(altered)
        status, said = run("show", out)
        assert status == 1
        assert f"{out}: {word}:" in said
    out.write_bytes(data)
    keys.generate(tmp_path / "other.pem")
    status, said = run("show", out, "--key", tmp_path / "other.pub.pem")
    assert (status, "key: signed with a key" in said) == (1, True)
    forged = bundle.encode(_with_another_number(signer), bundle.read(data).payload)
    with pytest.raises(update.UpdateError, match="signature"):
        bundle.read(forged, [signer.point])


def _with_another_number(signer: keys.ReleaseKey) -> bytes:
    first = release.make(FILES, release.described(7, "1", "rp2", 2**31), signer)
    signed = bundle.read(first).signed
    payload = sign1.Signed(signed, update.CONTENT_TYPE).payload
    return signed.replace(payload, payload[:1] + b"\x01\x08" + payload[3:])


def test_a_key_is_its_owners_alone_is_not_written_over_and_is_never_shown(tmp_path: Path, key: Path) -> None:
    """P-262"""
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    status, said = run("keygen", key)
    assert (status, key.read_bytes()) == (1, before)
    assert "is there" in said
    (tmp_path / "other.pub.pem").touch()
    status, said = run("keygen", tmp_path / "other.pem")
    assert (status, (tmp_path / "other.pem").exists()) == (1, False)
    assert "other.pub.pem: is there" in said
    assert repr(keys.load(key)) == f"ReleaseKey({sign1.key_id(keys.load(key).point).hex()})"
    for content in (b"", b"no key", key.with_suffix(".pub.pem").read_bytes()):
        wrong = tmp_path / "wrong.pem"
        wrong.write_bytes(content)
        status, said = run("make", "--board", "rp2", "--key", wrong, "--from", image(tmp_path / "i"))
        assert (status, str(wrong) in said) == (1, True)


def test_the_file_that_a_terminal_trusts_has_the_points(tmp_path: Path, key: Path) -> None:
    """P-262"""
    out = tmp_path / update.KEYS_NAME
    assert run("trust", key.with_suffix(".pub.pem"), "--out", out)[0] == 0
    assert json.loads(out.read_text()) == {"keys": [keys.load(key).point.hex()]}
    assert run("trust", key, "--out", out)[0] == 1


def test_what_is_called_wrongly_is_told(tmp_path: Path, key: Path) -> None:
    """P-262"""
    assert run("make", "--board", "none", "--key", key)[0] == 2
    assert run("make", "--board", "rp2", "--key", key, "--precursor", "7")[0] == 2
    status, said = run("make", "--board", "rp2", "--key", key, "--from", tmp_path / "empty")
    assert (status, "no application" in said) == (1, True)


def test_provisioning_lays_the_release_keys_and_a_wrong_file_is_told_before(tmp_path: Path, key: Path) -> None:
    """P-262"""
    shutil.copy(EXAMPLE, tmp_path / "site.toml")
    (tmp_path / "wifi-password.txt").write_text("secret of the plant\n")
    plan = tmp_path / "site.toml"
    text = plan.read_text(encoding="utf-8").replace('# update_keys = "', 'update_keys = "').replace(64 * "0", 64 * "5")
    plan.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="update_keys"):
        site.load(plan)
    assert run("trust", key.with_suffix(".pub.pem"), "--out", tmp_path / update.KEYS_NAME)[0] == 0
    found = site.load(plan)
    laid = provision.files_of(found, found.plan.terminal[0])
    assert laid[update.KEYS_NAME] == (tmp_path / update.KEYS_NAME).read_bytes()
