"""A new board's MicroPython and application in one go: esptool against the emulated ROM, the image on the real VM."""

import hashlib
import json
import os
import random
import subprocess
from functools import partial
from pathlib import Path

import pytest
from littlefs import LittleFS, LittleFSError
from typer.testing import CliRunner, Result

from firmware import DEVICE, image, root_image
from firmware.field import cli
from firmware.field.board import esp_partitions, flash, install, root_esp
from firmware.field.board.errors import BoardRefusedError, BoardSilentError
from firmware.field.board.esp_partitions import COUNTERS, LOG, ROOT, Partition
from firmware.field.board.link import Link
from firmware.field.commission import console
from hil.board.blank import CODE_BLOCKS, blank_board
from hil.board.rom_loader import ESP32_S3, Chip, on_pty
from tests.firmware.field.board.firmware_files import esp_file

MICROPYTHON = esp_partitions.divided(esp_file(), "file")
PLACE = esp_partitions.root_of(MICROPYTHON, "file")
LOG_PLACE = next(one for one in esp_partitions.read(MICROPYTHON, "file") if one.label == LOG)
NO_STUB = flash.Options(stub=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image")
    image.build("unix", folder, image.version_here(), 1_800_000_000)
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "ESP32_GENERIC_S3.bin"
    made.write_bytes(esp_file())
    return made


@pytest.fixture(autouse=True)
def commits_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")


def field(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["install", "--no-stub", *map(str, arguments)])


def root_of(chip: Chip) -> bytes:
    return bytes(chip.flash[PLACE.at : PLACE.at + PLACE.size])


def test_a_new_chip_gets_micropython_and_the_application_as_one_image(file: Path) -> None:
    """P-350: both read back; a dry run writes nothing, a second time neither; another place is not touched."""
    chip = Chip()
    with on_pty(chip) as port:
        shown = json.loads(field("--port", port, "--firmware", file, "--dry-run", "--json").stdout)
        assert ([one["code"] for one in shown["findings"]], chip.written) == (["would_change", "root_image"], 0)
        done = field("--port", port, "--firmware", file, "--json")
        assert (done.exit_code, json.loads(done.stdout)["data"]["application"]) == (0, "image"), done.stderr
        assert chip.flash[: len(MICROPYTHON)] == MICROPYTHON
        mounted = LittleFS(block_size=root_image.BLOCK_BYTES, block_count=PLACE.size // 4096, mount=False)
        mounted.context.buffer[:] = root_of(chip)
        mounted.mount()
        with mounted.open("/boards/esp32s3.mpy", "rb") as board, mounted.open("/main.py", "rb") as main:
            assert (board.read(1), main.read()) == (b"M", (DEVICE / "main.py").read_bytes())
        assert set(chip.flash[PLACE.at + PLACE.size :]) == {0xFF}
        before = chip.written
        again = json.loads(field("--port", port, "--firmware", file, "--json").stdout)
    assert [one["code"] for one in again["findings"]] == ["same", "root_same"]
    assert chip.written == before


def test_the_real_vm_mounts_the_image_and_runs_the_application_from_it(built: Path, file: Path, tmp_path: Path) -> None:
    """P-351: what esptool has put into the partition is a board's root: all files compare, its program has begun."""
    chip = Chip()
    with on_pty(chip) as port:
        done = flash.run(file, port, None, NO_STUB, lambda _done, _whole: None, partial(root_image.make, built))
    assert done.data["application"] == "image"
    assert PLACE.size == CODE_BLOCKS * root_image.BLOCK_BYTES  # as the stand-in's own
    (tmp_path / "board").mkdir()
    (tmp_path / "board" / "code.img").write_bytes(root_of(chip))
    with blank_board(tmp_path / "board") as board:
        with Link(board.port) as link:
            todo = install.plan(link, built)
            assert (todo.put, todo.remove, todo.same) == ({}, (), len(image.files_of(built)))
        said = console.lines(board.port, 20)  # it has begun, and has no configuration
        assert any("terminal.json: (file)" in line for line in said if line)
        found = json.loads(CliRunner().invoke(cli.app, ["identify", "--port", board.port, "--json"]).stdout)
    assert (found["kind"], found["version"]) == ("terminal", list(image.version_here()))


@pytest.mark.parametrize("vm", ["vm64", "vm32"])
def test_both_vms_find_out_by_themselves_what_the_image_is(built: Path, tmp_path: Path, vm: str) -> None:
    """P-351: as a port's own _boot.py mounts a partition; every file is what was put in."""
    flashed = tmp_path / "code.img"
    flashed.write_bytes(root_image.make(built, CODE_BLOCKS))
    program = (
        "import sys, vfs, hashlib\nfrom boards.unix import FileFlash\n"
        f"vfs.mount(FileFlash({str(flashed)!r}), '/x')\n"
        "for path in sys.stdin:\n"
        "    path = path.strip()\n"
        "    print(hashlib.sha256(open('/x/' + path, 'rb').read()).digest().hex(), path)"
    )
    files = image.files_of(built)
    done = subprocess.run(
        [image.ROOT / "build" / vm / "micropython", "-c", program],
        env={**os.environ, "MICROPYPATH": f"{DEVICE}:.frozen"},
        input="\n".join(files), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    told = [f"{hashlib.sha256(data).hexdigest()} {path}" for path, data in files.items()]
    assert done.stdout.splitlines() == told, done.stderr


def test_a_board_that_has_files_keeps_them(built: Path, file: Path) -> None:
    """P-350: whatever they are, its log and its updates are its own; the raw REPL does the rest."""
    chip, own = Chip(), LittleFS(block_size=root_image.BLOCK_BYTES, block_count=PLACE.size // 4096)
    with own.open("/slots", "wb") as slots:
        slots.write(b"what updates brought")
    chip.flash[PLACE.at : PLACE.at + PLACE.size] = own.context.buffer
    with on_pty(chip) as port:
        left = flash.run(file, port, None, NO_STUB, lambda _done, _whole: None, partial(root_image.make, built))
    assert (left.data["application"], left.findings[-1].code) == ("left", "root_left")
    assert root_of(chip) == own.context.buffer


def test_what_a_used_board_had_makes_room_but_records_stay(built: Path, file: Path) -> None:
    """P-359: MicroPython's own root, of another size, goes; where records are to be all is erased, unless there are."""
    chip, make = Chip(), partial(root_image.make, built)
    stock = LittleFS(block_size=root_image.BLOCK_BYTES, block_count=0x600000 // root_image.BLOCK_BYTES)
    with stock.open("/boot.py", "wb") as boot:
        boot.write(b"# of the shop")
    chip.flash[PLACE.at :] = stock.context.buffer
    chip.flash[LOG_PLACE.at + 70_000 : LOG_PLACE.at + 70_010] = b"leftovers!"
    with on_pty(chip) as port:
        done = flash.run(file, port, None, NO_STUB, lambda _done, _whole: None, make)
    assert done.data["application"] == "image"
    assert set(chip.flash[LOG_PLACE.at :]) == {0xFF}
    records = LittleFS(block_size=root_image.BLOCK_BYTES, block_count=LOG_PLACE.size // root_image.BLOCK_BYTES)
    with records.open("/segment", "wb") as segment:
        segment.write(b"what nobody has yet")
    chip.flash[LOG_PLACE.at : LOG_PLACE.at + LOG_PLACE.size] = records.context.buffer
    chip.flash[-1] = 1  # a counter
    before = bytes(chip.flash)
    with on_pty(chip) as port:
        again = flash.run(file, port, None, NO_STUB, lambda _done, _whole: None, make)
    assert (again.findings[0].code, bytes(chip.flash)) == ("same", before)


def test_a_board_that_keeps_its_records_elsewhere_is_refused(built: Path, file: Path) -> None:
    """P-359: before a byte is written."""
    chip, make = Chip(), partial(root_image.make, built)
    elsewhere = bytearray(MICROPYTHON)
    row = esp_partitions.TABLE_AT + 3 * 32 + 4  # where `wattline` begins
    elsewhere[row : row + 4] = (LOG_PLACE.at + 0x10000).to_bytes(4, "little")
    chip.flash[: len(elsewhere)] = elsewhere
    with on_pty(chip) as port, pytest.raises(BoardRefusedError, match="keeps records at 0x390000"):
        flash.run(file, port, None, NO_STUB, lambda _done, _whole: None, make)
    assert chip.written == 0


def test_records_of_another_division_are_kept_though_its_table_is_written_over(built: Path, file: Path) -> None:
    """P-359: MicroPython's own table by esptool, over a terminal whose log is larger: nothing is erased."""
    chip, make = Chip(), partial(root_image.make, built)
    larger = LittleFS(block_size=root_image.BLOCK_BYTES, block_count=LOG_PLACE.size // root_image.BLOCK_BYTES + 1)
    chip.flash[: len(esp_file())] = esp_file()
    chip.flash[LOG_PLACE.at : LOG_PLACE.at + root_image.HEAD_BYTES] = larger.context.buffer[: root_image.HEAD_BYTES]
    with on_pty(chip) as port, pytest.raises(BoardRefusedError, match="keeps records at 0x380000"):
        flash.run(file, port, None, NO_STUB, lambda _done, _whole: None, make)
    assert chip.written == 0


def test_a_chip_with_less_flash_than_its_firmware_is_refused(built: Path, file: Path) -> None:
    """P-359: beyond its end are its first addresses again, and erasing there would take what was just written."""
    chip, make = Chip(flash_bytes=4 * 1024 * 1024), partial(root_image.make, built)
    with on_pty(chip) as port, pytest.raises(BoardRefusedError, match="4 MiB of flash, the file is for 8"):
        flash.run(file, port, None, NO_STUB, lambda _done, _whole: None, make)
    assert chip.written == 0


def test_a_cable_pulled_anywhere_leaves_no_application_or_all_of_it(built: Path, file: Path) -> None:
    """P-350: the same command goes on; what was written is not written again."""
    chip, make = Chip(), partial(root_image.make, built)
    chip.flash[PLACE.at : PLACE.at + PLACE.size] = random.Random(350).randbytes(PLACE.size)  # no new chip is that clean
    chip.flash[: len(MICROPYTHON)] = MICROPYTHON
    for unplug_after in (30_000, 50_000):
        with on_pty(chip, unplug_after) as port, pytest.raises((BoardSilentError, BoardRefusedError)):
            flash.run(file, port, None, NO_STUB, lambda _done, _whole: None, make)
        assert root_image.blocks_of(root_of(chip)[:64]) is None
    before = chip.written
    with on_pty(chip) as port:
        done = flash.run(file, port, None, NO_STUB, lambda _done, _whole: None, make)
    whole = make(PLACE.size // root_image.BLOCK_BYTES)
    assert done.data["written"] == chip.written - before < sum(len(one.data) for one in root_esp.pieces(whole, 0))
    for start in range(0, len(whole), root_image.BLOCK_BYTES):  # what is not used of it stays as it was
        block = whole[start : start + root_image.BLOCK_BYTES]
        assert block.strip(b"\xff") == b"" or root_of(chip)[start : start + len(block)] == block


def test_an_image_whose_last_piece_was_cut_begins_no_application(built: Path) -> None:
    """P-350: at every 64 bytes of its head: no file system, none that has a program, or the whole."""
    blocks = 128  # it just fits
    whole = root_image.make(built, blocks)
    main, seen = (built / image.AS_IT_IS).read_bytes(), set()
    for cut in range(0, root_image.HEAD_BYTES + 1, 64):
        made = LittleFS(block_size=root_image.BLOCK_BYTES, block_count=blocks, mount=False)
        made.context.buffer[:] = whole[:cut].ljust(root_image.HEAD_BYTES, b"\xff") + whole[root_image.HEAD_BYTES :]
        try:
            made.mount()
            with made.open(f"/{image.AS_IT_IS}", "rb") as file:
                there = file.read()
        except (LittleFSError, FileNotFoundError):
            there = b""
        assert there in {b"", main}
        seen.add(there)
    assert seen == {b"", main}


def test_the_same_files_give_the_same_bytes(built: Path, tmp_path: Path) -> None:
    """P-351: wherever they lie; one byte more in a file gives others; what has no room is told."""
    copy = tmp_path / "elsewhere"
    for path, data in reversed(image.files_of(built).items()):
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_bytes(data)
    digests = [hashlib.sha256(root_image.make(one, 384)).hexdigest() for one in (built, copy)]
    assert digests[0] == digests[1]
    (copy / "index").write_bytes(b"x")
    assert hashlib.sha256(root_image.make(copy, 384)).hexdigest() != digests[0]
    with pytest.raises(image.ImageError, match="no room"):
        root_image.make(built, 60)


def test_a_firmware_file_gets_room_for_a_terminals_records() -> None:
    """P-352: MicroPython's own table has none; one that has stays; behind a table is its MD5, as the chip wants."""
    rows = esp_partitions.read(MICROPYTHON, "file")
    assert [(one.label, one.at, one.size) for one in rows] == [
        ("nvs", 0x9000, 0x6000),
        ("factory", 0x10000, 0x1F0000),
        (ROOT, 0x200000, 0x180000),
        (LOG, 0x380000, 0x47E000),
        (COUNTERS, 0x7FE000, 0x2000),
    ]
    assert esp_partitions.divided(MICROPYTHON, "file") == MICROPYTHON
    at = esp_partitions.TABLE_AT + 32 * len(rows)
    md5 = hashlib.md5(MICROPYTHON[esp_partitions.TABLE_AT : at], usedforsecurity=False).digest()
    assert MICROPYTHON[at : at + 32] == b"\xeb\xeb" + b"\xff" * 14 + md5
    small = bytearray(esp_file())
    small[3] = 0x1F  # 2 MiB
    with pytest.raises(BoardRefusedError, match="too small"):
        esp_partitions.divided(bytes(small), "file")


def test_another_boards_image_does_not_go_onto_a_chip(file: Path) -> None:
    """P-286: an ESP32-S3's firmware with an RP2's application; a chip that we have no image for."""
    chip = Chip(ESP32_S3)
    with on_pty(chip) as port:
        crossed = field("--port", port, "--firmware", file, "--board", "rp2")
        assert (crossed.exit_code, "--allow-cross-flash" in crossed.stderr) == (4, True)
        file.write_bytes(esp_file(chip_id=5))
        unknown = field("--port", port, "--firmware", file)
        assert (unknown.exit_code, "ESP32-C3" in unknown.stderr) == (4, True)
    assert (chip.written, Partition(*PLACE)) == (0, PLACE)
