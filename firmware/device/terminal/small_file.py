# Small files that are replaced as a whole: content, then its CRC-32 (4 bytes, little endian).
# A new version is written beside the old one and renamed over it, so that a power cut leaves one or the other.
import binascii
import errno
import os

_CRC_BYTES = 4


def write(path: str, data: bytes) -> None:
    """Durable on return. Raises OSError."""
    replace(path, data + binascii.crc32(data).to_bytes(_CRC_BYTES, "little"))


def replace(path: str, data: bytes) -> None:
    """A file of somebody else's form, without a CRC; durable on return. Raises OSError."""
    with open(path + ".new", "wb") as file:
        file.write(data)
    os.rename(path + ".new", path)


def read(path: str) -> "bytes | None":
    """The content, or None if there is none or it is damaged."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return None
    body = data[:-_CRC_BYTES]
    if len(data) < _CRC_BYTES or binascii.crc32(body) != int.from_bytes(data[-_CRC_BYTES:], "little"):
        return None
    return body


def damaged_bytes(path: str) -> int:
    """The size of the file if it is there and damaged, else 0."""
    try:
        size: int = os.stat(path)[6]
    except OSError:
        return 0
    return size if read(path) is None else 0


def make_folder(path: str) -> None:
    """Raises OSError, but not if it is there."""
    try:
        os.mkdir(path)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
