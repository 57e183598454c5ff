"""Files of secrets: read by one way, which looks at who else may use them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import files, lock
from gateway.files import read_password, read_secret

SECRET = "what nobody shall see"


def made(folder: Path, mode: int = 0o600, content: bytes = SECRET.encode() + b"\n") -> Path:
    file = folder / "mqtt.password"
    file.write_bytes(content)
    file.chmod(mode)
    return file


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600, 0o640])
def test_what_its_owner_or_group_alone_reads_is_taken(tmp_path: Path, mode: int) -> None:
    file = made(tmp_path, mode)
    assert (read_secret(file), read_password(str(file)), read_password(None)) == (SECRET.encode(), SECRET, None)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o601, 0o660, 0o650, 0o777])
def test_what_others_may_use_is_refused_with_mode_and_cure(tmp_path: Path, mode: int) -> None:
    """P-400: nothing of it is shown."""
    file = made(tmp_path, mode)
    with pytest.raises(PermissionError) as refused:
        read_secret(file)
    said = str(refused.value)
    assert (f"mode {mode:03o}" in said, f"chmod 600 {file}" in said, SECRET in said) == (True, True, False)


def test_what_belongs_to_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-400: root's is taken, its folder's owner's too."""
    file, owner = made(tmp_path), tmp_path.stat().st_uid
    real = os.fstat

    def owned_by(user: int) -> Callable[[int], os.stat_result]:
        return lambda descriptor: os.stat_result((*real(descriptor)[:4], user, *real(descriptor)[5:10]))

    for user in (0, owner):
        monkeypatch.setattr(os, "fstat", owned_by(user))
        assert read_secret(file) == SECRET.encode()
    monkeypatch.setattr(os, "fstat", owned_by(owner + 12_345))
    with pytest.raises(PermissionError, match="belongs to user"):
        read_secret(file)


def test_what_is_no_secrets_file_is_refused_and_nobody_waits(tmp_path: Path) -> None:
    """P-400: a pipe, a folder, something long, something that is no text, nothing at all."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path, said in (
        (tmp_path / "pipe", "not a regular file"),
        (tmp_path, "not a regular file"),
        (tmp_path / "none", "No such file"),
        (made(tmp_path, content=b"x" * (files.SECRET_BYTES_MAX + 1)), "some other file"),
    ):
        with pytest.raises(OSError, match=said):
            read_secret(path)
    with pytest.raises(OSError, match="not UTF-8"):
        read_password(str(made(tmp_path, content=b"\xff\xfe")))


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    """P-455: whoever owns the data_dir can put one there; root, holding it for a restore, would empty what it names."""
    of_another = tmp_path / "passwd"
    of_another.write_text("root\n")
    data = tmp_path / "data"
    data.mkdir()
    for link in (Path.symlink_to, Path.hardlink_to):
        link(data / lock.LOCK, of_another)
        with pytest.raises(OSError, match=lock.LOCK), lock.held(data):
            pass
        assert of_another.read_text() == "root\n"
        (data / lock.LOCK).unlink()
    with lock.held(data):
        assert lock.running_pid(data) == os.getpid()
