"""Subjects and bodies of the stream's messages.

STREAM.record.TERMINAL.EPOCH.SEQ   01, digest of the record, the frame that brought it, alone
                                   02, digest of the record, digest of the frame that brought it, among others
STREAM.frame.TERMINAL.DIGEST       the frame, as it came; digest in hexadecimal digits
Digests are SHA-256.
"""

from typing import NamedTuple

from protocol.host.tables import is_terminal_id
from protocol.limits import FRAME_BYTES_MAX

_ALONE, _AMONG_OTHERS = b"\x01", b"\x02"
_DIGEST_BYTES = 32
_HEAD_BYTES = 1 + _DIGEST_BYTES
_NAMING_WORDS = 4  # stream, record or frame, terminal, and what of it


class Held(NamedTuple):
    """A record's message. frame: as it came; None: it is the message of frame_digest."""

    digest: bytes
    frame: bytes | None
    frame_digest: bytes


def subjects_of(stream: str) -> str:
    """All that the stream takes."""
    return f"{stream}.>"


def records_of(stream: str) -> str:
    """The records' messages."""
    return f"{stream}.record.>"


def record_subject(stream: str, terminal: str, epoch: int, seq: int) -> bytes:
    """A record's name."""
    return f"{stream}.record.{terminal}.{epoch}.{seq}".encode()


def frame_subject(stream: str, terminal: str, digest: bytes) -> bytes:
    """A frame's name."""
    return f"{stream}.frame.{terminal}.{digest.hex()}".encode()


def alone(digest: bytes, frame: bytes) -> bytes:
    """The body of the only record of a frame."""
    return b"%b%b%b" % (_ALONE, digest, frame)


def among_others(digest: bytes, frame_digest: bytes) -> bytes:
    """The body of a record of a frame that has others."""
    return b"%b%b%b" % (_AMONG_OTHERS, digest, frame_digest)


def read(body: bytes) -> Held:
    """A record's message. Raises ValueError where it is none of ours."""
    kind, digest, rest = body[:1], body[1:_HEAD_BYTES], body[_HEAD_BYTES:]
    if kind == _ALONE and 0 < len(rest) <= FRAME_BYTES_MAX:
        return Held(digest, rest, b"")
    if kind == _AMONG_OTHERS and len(rest) == _DIGEST_BYTES:
        return Held(digest, None, rest)
    raise ValueError(f"a message of {len(body)} bytes that begins with {kind.hex() or 'nothing'}")


def terminal_of(subject: bytes) -> str:
    """Whose record or frame it is; "" where the subject is none of ours."""
    words = subject.decode("utf-8", "replace").split(".")
    return words[2] if len(words) >= _NAMING_WORDS and is_terminal_id(words[2]) else ""
