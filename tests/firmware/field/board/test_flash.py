"""MicroPython onto boards: esptool against a boot loader in ROM (hil/board/rom_loader.py), UF2 onto a drive."""

import contextlib
import json
import random
import shutil
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from firmware.field import cli
from firmware.field.board import esp_image, esp_partitions, flash_esp, flash_rp2, identify, uf2
from firmware.field.board.errors import BoardRefusedError, BoardSilentError
from hil.board.rom_loader import ESP32, Chip, on_pty, on_rfc2217
from tests.firmware.field.board.firmware_files import esp_file as plain_file
from tests.firmware.field.board.firmware_files import uf2_file

REGION = flash_esp.REGION_BYTES


def esp_file(chip_id: int = 9, version: bytes = b"v1.29.0", filled: bytes = b"") -> bytes:
    """A firmware file with room for a terminal."""
    return esp_partitions.divided(plain_file(chip_id, version, filled=filled), "file")


def flash(file: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["flash", "--firmware", str(file), "--no-stub", *arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "ESP32_GENERIC_S3.bin"
    made.write_bytes(esp_file())
    return made


def test_only_what_differs_is_written_and_read_back(file: Path) -> None:
    """P-287: by region, each compared by its MD5; a second time nothing."""
    chip, data = Chip(), file.read_bytes()
    chip.flash[REGION : 2 * REGION] = data[REGION : 2 * REGION]
    with on_pty(chip) as port:
        shown = json.loads(flash(file, "--port", port, "--dry-run", "--json").stdout)
        assert (shown["findings"][0]["code"], chip.written) == ("would_change", 0)
        done = flash(file, "--port", port, "--json")
        assert (done.exit_code, json.loads(done.stdout)["data"]["written"]) == (0, len(data) - REGION)
        assert chip.flash[: len(data)] == data
        again = json.loads(flash(file, "--port", port, "--json").stdout)
    assert (again["findings"][0]["code"], chip.bauds[-1]) == ("same", flash_esp.FAST_BAUD)


def test_a_cable_pulled_in_mid_flash_is_told_and_the_same_command_goes_on(file: Path) -> None:
    """P-287: what was written is not written again."""
    chip, data = Chip(), esp_file(filled=random.Random(288).randbytes(150_000))
    file.write_bytes(data)
    for unplug_after in (3000, 100_000):
        with on_pty(chip, unplug_after) as port:
            cut = flash(file, "--port", port)
        assert (cut.exit_code, "same" in cut.stderr) == (3, True), cut.stderr
    before = chip.written
    assert 0 < before < len(data)
    with on_pty(chip) as port:
        assert flash(file, "--port", port).exit_code == 0
    assert chip.flash[: len(data)] == data
    assert chip.written - before < len(data)


def test_another_chips_firmware_and_an_older_one_are_refused(file: Path) -> None:
    """P-286: before a byte is written; what has no chip's name is refused too."""
    chip = Chip()
    with on_pty(chip) as port:
        assert flash(file, "--port", port).exit_code == 0
        written = chip.written
        file.write_bytes(esp_file(version=b"v1.27.0"))
        older = flash(file, "--port", port)
        assert (older.exit_code, "--allow-downgrade" in older.stderr, chip.written) == (4, True, written)
        file.write_bytes(esp_file(chip_id=5))
        other = flash(file, "--port", port)
        assert (other.exit_code, "ESP32-C3" in other.stderr, "--allow-cross-flash" in other.stderr) == (4, True, True)
        file.write_bytes(b"\xe9 no firmware")
        assert flash(file, "--port", port).exit_code == 4
        assert chip.written == written
        file.write_bytes(esp_file(version=b"v1.27.0"))
        assert flash(file, "--port", port, "--allow-downgrade").exit_code == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # pyserial's
def test_a_chip_is_reset_into_its_boot_loader_and_out_again_by_the_ports_lines() -> None:
    """P-287: over rfc2217, where the emulator sees DTR and RTS; an ESP32 is no ESP32-S3."""
    for chip, name in ((Chip(in_loader=False), "ESP32-S3"), (Chip(ESP32, in_loader=False), "ESP32")):
        with on_rfc2217(chip) as port, flash_esp.loader(port) as found:
            assert (found.chip, chip.in_loader, chip.resets) == (name, True, 1)
        assert (chip.in_loader, chip.resets) == (False, 2)


def test_a_board_in_its_boot_loader_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-284: by its chip; another chip than ours has no image."""
    monkeypatch.setattr(identify, "_READY_S", 0.5)
    for chip, name, board in ((Chip(), "ESP32-S3", "esp32s3"), (Chip(ESP32), "ESP32", None)):
        with on_pty(chip) as port:
            answer = CliRunner().invoke(cli.app, ["identify", "--port", port, "--json"])
        found = json.loads(answer.stdout)
        assert (found["kind"], found["machine"], found["board"]) == ("bootloader", name, board)
    for drive, board in (("RP2350", "rp2"), ("RPI-RP2", None)):
        _show(tmp_path / drive, drive)
        shown = identify.in_bootsel(tmp_path / drive)
        assert (shown.kind, shown.board) == ("bootsel", board)


def test_a_port_without_a_boot_loader_says_which_buttons_to_press() -> None:
    """P-287"""
    with (
        on_pty(Chip(in_loader=False)) as port,
        pytest.raises(BoardSilentError, match="hold BOOT"),
        flash_esp.loader(port, attempts=1),
    ):
        pass


def test_a_uf2_file_goes_onto_the_drive_and_the_board_restarts(tmp_path: Path) -> None:
    """P-288: the drive that goes with the last block is the sign; one that stays is told."""
    file, drive = tmp_path / "pico.uf2", tmp_path / "RP2350"
    file.write_bytes(uf2_file())
    _show(drive)

    def board() -> None:  # as the boot loader: whole, it restarts, and its drive goes
        while not (drive / "firmware.uf2").exists() or (drive / "firmware.uf2").stat().st_size < file.stat().st_size:
            time.sleep(0.01)
        shutil.rmtree(drive)

    playing = threading.Thread(target=board, daemon=True)
    playing.start()
    done = flash(file, "--drive", str(drive), "--json")
    playing.join(30)
    assert (done.exit_code, json.loads(done.stdout)["data"]["chip"]) == (0, "RP2350")
    _show(drive)
    with pytest.raises(BoardSilentError, match="did not start"):
        flash_rp2.write(drive, file.read_bytes(), lambda _done, _whole: None, boot_s=0)
    gone = flash(file, "--drive", str(tmp_path / "none"))
    assert gone.exit_code == 3


def test_a_uf2_file_for_another_chip_is_refused(tmp_path: Path) -> None:
    """P-286"""
    file, drive = tmp_path / "pico.uf2", tmp_path / "RPI-RP2"
    file.write_bytes(uf2_file())
    _show(drive, "RPI-RP2")
    refused = flash(file, "--drive", str(drive))
    assert (refused.exit_code, "RP2040" in refused.stderr, "--allow-cross-flash" in refused.stderr) == (4, True, True)
    assert not (drive / "firmware.uf2").exists()


@given(st.data())
def test_a_damaged_firmware_file_is_refused_or_is_read_alike(data: st.DataObject) -> None:
    """P-288: any bytes of a UF2 or an ESP file end with one reason, and never with another error."""
    whole = bytearray(data.draw(st.sampled_from([uf2_file(4), plain_file(size=70_000)])))
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=4)):
        whole[at] ^= data.draw(st.integers(1, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))]) if data.draw(st.booleans()) else bytes(whole)
    for read in (uf2.read, esp_image.read, esp_partitions.divided):
        with contextlib.suppress(BoardRefusedError):
            read(cut, "file")


def test_a_uf2_file_with_a_block_missing_is_refused() -> None:
    """P-288"""
    whole = uf2_file(5)
    assert uf2.read(whole, "pico.uf2") == uf2.Uf2("RP2350", 5 * 256)
    for number in range(1, 5):
        with pytest.raises(BoardRefusedError, match="missing"):
            uf2.read(whole[: number * 512] + whole[(number + 1) * 512 :], "pico.uf2")


def _show(drive: Path, board: str = "RP2350") -> None:
    drive.mkdir()
    (drive / flash_rp2.INFO).write_text(f"UF2 Bootloader v1.0\nModel: Raspberry Pi\nBoard-ID: {board}\n")
