"""A key's file: 64 hex digits, or the line of a sealed key (wrapping.py). For the gateway's user alone."""

import re
from pathlib import Path

from gateway.files import read_secret, write_secret
from gateway.keys.wrapping import WrappingKeys, is_sealed

KEY_BYTES = 32
FORM = "a file of 64 hex digits (32 bytes) / 含 64 个十六进制数字的文件"


def name_of(terminal: str, generation: int) -> str:
    """What the key of a terminal is sealed for."""
    return f"{terminal}.{generation}"


def read(file: Path, name: str, wrapping: WrappingKeys) -> bytes:
    """The 32 bytes. name: whose, as `name_of`. Raises OSError, ValueError, MissingWrapError; none shows a key."""
    return opened(read_secret(file), name, wrapping)


def opened(line: bytes, name: str, wrapping: WrappingKeys) -> bytes:
    """The 32 bytes of what a key's file holds. Raises ValueError, MissingWrapError."""
    if is_sealed(line):
        secret = wrapping.open(line, name)
        if len(secret) != KEY_BYTES:
            raise ValueError(f"a key of {len(secret)} bytes / 密钥长度错误; allowed / 允许: {KEY_BYTES}")
        return secret
    if not re.fullmatch(rb"[0-9A-Fa-f]{64}", line):
        raise ValueError(f"not a key / 不是有效密钥; allowed / 允许: {FORM}")
    return bytes.fromhex(line.decode("ascii"))


def lines(secret: bytes, name: str, wrapping: WrappingKeys) -> bytes:
    """What the file of a key holds: sealed where there is a wrapping key."""
    return (wrapping.seal(secret, name) if wrapping else secret.hex().encode()) + b"\n"


def write(file: Path, secret: bytes, name: str, wrapping: WrappingKeys) -> None:
    """Put a key into a new file. Raises FileExistsError, OSError."""
    write_secret(file, lines(secret, name, wrapping).decode("ascii"))
