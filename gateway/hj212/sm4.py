"""SM4 as HJ 212-2025 uses it (6.4, A.2): ECB over whole blocks of CP's content, what is left over stays plain.

The length field and the check value of a packet are over the plain text. Whether ciphertext travels as raw bytes, or as
the standard prints it ({0xE4,0x3E,...}), could not be established: both forms are here.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

BLOCK_BYTES = KEY_BYTES = 16
Form = Literal["raw", "printed"]

_OPEN, _CLOSE = b"CP=&&", b"&&"
_PRINTED = re.compile(rb"\{((?:0[xX][0-9A-Fa-f]{1,2},?)*)\}")


def encrypt(key: bytes, content: bytes) -> bytes:
    """The content of CP with its whole blocks encrypted; as long as before. The key has 16 bytes."""
    whole = len(content) - len(content) % BLOCK_BYTES
    worker = _cipher(key).encryptor()
    return bytes(worker.update(content[:whole]) + worker.finalize() + content[whole:])


def decrypt(key: bytes, content: bytes) -> bytes:
    """The reverse."""
    whole = len(content) - len(content) % BLOCK_BYTES
    worker = _cipher(key).decryptor()
    return bytes(worker.update(content[:whole]) + worker.finalize() + content[whole:])


def seal(key: bytes, packet: bytes, form: Form) -> bytes:
    """A plain packet with CP's content encrypted. In printed form the packet is longer than its length field says."""
    begin = packet.index(_OPEN) + len(_OPEN)
    end = packet.rindex(_CLOSE)
    content = encrypt(key, packet[begin:end])
    if form == "printed":
        whole = len(content) - len(content) % BLOCK_BYTES
        listed = b",".join(b"0x%02X" % byte for byte in content[:whole])
        content = (b"{%s}" % listed if whole else b"") + content[whole:]
    return packet[:begin] + content + packet[end:]


def open_segment(key: bytes, segment: bytes) -> bytes | None:
    """A data segment with CP's content decrypted (raw form); None where it has none."""
    begin, end = segment.find(_OPEN) + len(_OPEN), segment.rfind(_CLOSE)
    if begin < len(_OPEN) or end < begin:
        return None
    return segment[:begin] + decrypt(key, segment[begin:end]) + segment[end:]


def unprint(data: bytes) -> bytes:
    """Bytes in which a printed list of ciphertext is raw again; as they are where there is none that is whole."""
    begin = data.find(_OPEN)
    found = _PRINTED.match(data, begin + len(_OPEN)) if begin >= 0 else None
    if found is None:
        return data
    raw = bytes(int(one, 16) for one in found[1].split(b",") if one)
    return data[: found.start()] + raw + data[found.end() :]


def _cipher(key: bytes) -> Any:
    return Cipher(SM4(key), modes.ECB())  # noqa: S305  (what the standard prescribes; nothing of ours rests on it)
