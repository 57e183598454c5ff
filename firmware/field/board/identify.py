"""What is on a port: which board, and what runs on it. Nothing is changed on it but that what ran is interrupted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from firmware.field.board import flash_esp, flash_rp2
from firmware.field.board.errors import BoardError, BoardSilentError
from firmware.field.board.link import Link

Kind = Literal["terminal", "micropython", "bootloader", "bootsel"]
# The data's file system is the terminal's own to mount; what is configured is beside its code, on another one.
_ASK = """
import json
told = {"platform": sys.platform, "machine": getattr(sys.implementation, "_machine", "")}
told["micropython"] = ".".join(str(one) for one in sys.implementation[1][:3])
try:
    import machine, binascii
    told["chip_id"] = binascii.hexlify(machine.unique_id()).decode()
except (ImportError, AttributeError):
    pass
try:
    from terminal import image
    told["version"], told["built_s"] = image.VERSION, image.BUILT_S
    told["commit"] = getattr(image, "COMMIT", "")
    import boards
    with open(boards.mount_data() + "/terminal.json") as file:
        told["terminal"] = json.load(file)["terminal"]
except (ImportError, OSError, ValueError, KeyError, AttributeError) as error:
    told["without"] = repr(error)
print(json.dumps(told))
"""


@dataclass(frozen=True)
class Identity:
    """A board and what runs on it. board: the name of its image (firmware.image.BOARDS), None if there is none for it.

    machine: in its own words. version, commit: of our application, None and "" without.
    terminal: its name, None if not provisioned.
    """

    kind: Kind
    board: str | None
    machine: str
    micropython: str | None = None
    version: tuple[int, int, int] | None = None
    commit: str = ""
    built_s: int | None = None
    terminal: str | None = None
    chip_id: str | None = None

    def text(self) -> str:
        """In one line for a person."""
        parts = [self.machine, f"board / 板型 {self.board}" if self.board else "no image for it / 无对应映像"]
        if self.micropython:
            parts.append(f"MicroPython {self.micropython}")
        if self.version:
            parts.append(f"wattline {version_text(self.version)}" + (f" ({self.commit})" if self.commit else ""))
        parts.append(f"terminal / 终端 {self.terminal}" if self.terminal else KIND_WORDS[self.kind])
        return ", ".join(parts)


BOARD_OF_CHIP = {"ESP32-S3": "esp32s3", "RP2350": "rp2"}
_READY_S = 5.0  # a board that runs has its prompt in a tenth of it; one in its boot loader never
_ATTEMPTS = 2

KIND_WORDS: dict[Kind, str] = {
    "terminal": "not provisioned / 尚未配置",
    "micropython": "no application / 未安装应用",
    "bootloader": "in its boot loader / 处于引导程序",
    "bootsel": "in BOOTSEL mode / 处于 BOOTSEL 模式",
}


def over(link: Link) -> Identity:
    """The board behind a link. Raises BoardError."""
    told = json.loads(link.run(_ASK))
    version = tuple(told["version"]) if "version" in told else None
    return Identity(
        kind="terminal" if version else "micropython",
        board=board_of(told["platform"], told["machine"]),
        machine=told["machine"],
        micropython=told["micropython"],
        version=version,
        commit=told.get("commit", ""),
        built_s=told.get("built_s"),
        terminal=told.get("terminal"),
        chip_id=told.get("chip_id"),
    )


def at(port: str, baud: int) -> Identity:
    """What is on a port: MicroPython, else a boot loader of an ESP, which is left again. Raises BoardError.

    BoardSilentError: neither answers.
    """
    try:
        with Link(port, baud, ready_s=_READY_S) as link:
            return over(link)
    except BoardSilentError as silent:
        try:
            with flash_esp.loader(port, attempts=_ATTEMPTS) as chip:
                return Identity("bootloader", BOARD_OF_CHIP.get(chip.chip), chip.chip)
        except BoardError:
            raise silent from None


def in_bootsel(drive: Path) -> Identity:
    """The board whose boot loader shows this drive. Raises BoardSilentError."""
    chip = flash_rp2.chip_of(drive)
    return Identity("bootsel", BOARD_OF_CHIP.get(chip), f"{chip} {drive}")


def board_of(platform: str, machine: str) -> str | None:
    """The image's board for what MicroPython says of itself: sys.platform and sys.implementation._machine."""
    if platform == "linux":
        return "unix"
    if platform == "esp32" and "ESP32S3" in machine.upper().replace("-", ""):
        return "esp32s3"
    return "rp2" if platform == "rp2" and "RP2350" in machine.upper() else None


def version_text(version: tuple[int, int, int]) -> str:
    """1.2.3"""
    return ".".join(map(str, version))
