"""An ESP firmware file as MicroPython's downloads are: boot loader, partition table and application in one, from 0.

Format: ESP-IDF, "App Image Format".
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from firmware.field.board import esp_partitions
from firmware.field.board.errors import BoardRefusedError

CHIPS = {0: "ESP32", 2: "ESP32-S2", 5: "ESP32-C3", 9: "ESP32-S3", 13: "ESP32-C6", 16: "ESP32-H2", 18: "ESP32-P4"}
DESCRIPTION_BYTES = 80  # of esp_app_desc_t: as far as the version and the project's name go
_IMAGE_MAGIC, _DESCRIPTION_MAGIC = 0xE9, 0xABCD5432
_CHIP_AT, _DESCRIPTION_AT, _VERSION_AT, _TEXT_BYTES = 12, 32, 16, 32  # image header 24, segment header 8
_FIRST_SLOTS = (0x00, 0x10)  # factory, ota_0


@dataclass(frozen=True)
class Firmware:
    """chip: by the image's header. description_at: where on the flash the application tells its version."""

    chip: str
    chip_id: int
    version: tuple[int, ...] | None
    description_at: int


def read(data: bytes, name: str) -> Firmware:
    """What a file is. Raises BoardRefusedError."""
    if len(data) < esp_partitions.TABLE_AT + esp_partitions.TABLE_BYTES or data[0] != _IMAGE_MAGIC:
        raise BoardRefusedError(
            f"{name}: no firmware for an ESP that begins with its boot loader: MicroPython's file for the board, as it "
            "is downloaded, is one / 不是包含引导程序的 ESP 固件文件"
        )
    (chip_id,) = struct.unpack_from("<H", data, _CHIP_AT)
    at = _application_at(data, name) + _DESCRIPTION_AT
    chip = CHIPS.get(chip_id, f"chip {chip_id}")
    return Firmware(chip, chip_id, version_in(data[at : at + DESCRIPTION_BYTES]), at)


def application(data: bytes, name: str) -> Firmware:
    """What an application alone is, as it goes into an OTA partition. Raises BoardRefusedError."""
    found = data[_DESCRIPTION_AT : _DESCRIPTION_AT + DESCRIPTION_BYTES]
    version = version_in(found) if data[:1] == bytes((_IMAGE_MAGIC,)) else None
    if version is None:
        raise BoardRefusedError(
            f"{name}: no application of an ESP alone: MicroPython's downloads have one beside each firmware, *.app-bin "
            "/ 不是单独的 ESP 应用映像（.app-bin）"
        )
    (chip_id,) = struct.unpack_from("<H", data, _CHIP_AT)
    return Firmware(CHIPS.get(chip_id, f"chip {chip_id}"), chip_id, version, _DESCRIPTION_AT)


def version_in(description: bytes) -> tuple[int, ...] | None:
    """The numbers of the version in an application's description; None where there is none."""
    if len(description) < DESCRIPTION_BYTES or struct.unpack_from("<I", description)[0] != _DESCRIPTION_MAGIC:
        return None
    text = description[_VERSION_AT : _VERSION_AT + _TEXT_BYTES].split(b"\0")[0].decode("ascii", "replace")
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(one or 0) for one in found.groups()) if found else None


def _application_at(data: bytes, name: str) -> int:
    for one in esp_partitions.read(data, name):
        if one.kind == esp_partitions.APPLICATION and one.slot in _FIRST_SLOTS:
            return one.at
    raise BoardRefusedError(f"{name}: its partition table has no first application / 分区表中没有首个应用分区")
