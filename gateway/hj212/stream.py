"""A TCP stream of HJ 212 -> its packets. Framed by the length field, never by CR LF, && or ##."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from gateway.hj212 import sm4
from gateway.hj212.packet import SEGMENT_MAX_BYTES
from gateway.hj212.parse import CRC_BYTES, HEAD_BYTES, Received, crc_agrees, extent, read

BUFFER_MAX_BYTES = HEAD_BYTES + SEGMENT_MAX_BYTES + CRC_BYTES  # never more than one unfinished packet is kept
_HEAD = re.compile(rb"##(?!#)")  # of ###0087 the first # is noise
_MN = re.compile(rb";MN=([^;,&]{1,64})")
_PRINTED = re.compile(rb"##[0-9]{4}[^&]{0,200}CP=&&\{0[xX][^}]*\Z")  # ciphertext as a list, and its end is not here yet
PRINTED_MAX_BYTES = 8 * SEGMENT_MAX_BYTES  # 5 characters a byte, and what is around them

Keys = Callable[[str], Sequence[bytes]]  # of a station (MN), the one to be tried first first


def no_keys(_mn: str) -> Sequence[bytes]:
    """Nothing is encrypted."""
    return ()


class Splitter:
    """Cuts a stream into packets; a damaged one is reported and never swallows its neighbours.

    After damage the search for the next ## goes on inside the damaged packet, because its length cannot be
    believed. What is left of the damaged packet belongs to the damage already reported and is dropped in silence.
    keys: with which packets may be encrypted whose check value is that of no plain text.
    """

    def __init__(self, keys: Keys = no_keys) -> None:
        self._keys = keys
        self._buffer = bytearray()
        self._covered_bytes = 0  # so many bytes ahead belong to a damaged packet already reported
        self._after_damage = False  # and so do bytes up to the next ##, where its length was no help

    @property
    def pending_bytes(self) -> int:
        """Bytes of a packet that has begun and not ended; at most BUFFER_MAX_BYTES."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Received]:
        """The packets, good and damaged, that are finished by `data`, in their order."""
        self._buffer += data
        return self._take()

    def expire(self) -> list[Received]:
        """Gives up the unfinished packet, at a time-out: its length may be damaged and hide what came since."""
        if not self._buffer:
            return []
        unfinished = bytes(self._buffer)
        return self._damage(Received("incomplete", "cut-short: no more came", unfinished), 0) + self._take()

    def _take(self) -> list[Received]:
        found: list[Received] = []
        while True:
            found += self._skip_to_head()
            if not self._buffer or self._is_half_printed():
                return found
            head = bytes(self._buffer[:BUFFER_MAX_BYTES])
            span = extent(head)
            if span.verdict == "incomplete":
                return found
            if span.verdict != "ok":
                found += self._damage(Received(span.verdict, span.reason, head[:HEAD_BYTES]), HEAD_BYTES)
                continue
            frame = head[: span.end]
            if not crc_agrees(frame, span.segment_end) and (plain := self._decrypted(frame, span.segment_end)):
                found.append(replace(read(plain, span.segment_end, []), raw=frame, encrypted=True))
                self._drop(span.end)
                self._covered_bytes, self._after_damage = 0, False
                continue
            if not crc_agrees(frame, span.segment_end):
                found += self._damage(None if self._covered_bytes else read(frame, span.segment_end, []), span.end)
                continue
            found.append(read(frame, span.segment_end, []))
            self._drop(span.end)
            self._covered_bytes, self._after_damage = 0, False

    def _is_half_printed(self) -> bool:
        """Makes a printed list of ciphertext raw; True while its end has not come."""
        if self._keys is no_keys:
            return False
        if _PRINTED.match(self._buffer) and len(self._buffer) < PRINTED_MAX_BYTES:
            return True
        if self._buffer.startswith(b"##"):
            self._buffer[:] = sm4.unprint(bytes(self._buffer))
        return False

    def _decrypted(self, frame: bytes, segment_end: int) -> bytes | None:
        """The packet with its CP decrypted by the first of the station's keys with which the check value agrees."""
        mn = _MN.search(frame[:segment_end])
        for key in self._keys(mn[1].decode("ascii", "replace")) if mn else ():
            segment = sm4.open_segment(key, frame[HEAD_BYTES:segment_end])
            if segment is not None:
                plain = frame[:HEAD_BYTES] + segment + frame[segment_end:]
                if crc_agrees(plain, segment_end):
                    return plain
        return None

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._covered_bytes = max(0, self._covered_bytes - count)

    def _damage(self, packet: Received | None, size: int) -> list[Received]:
        """Reports `packet` unless it lies in a damage reported before, and steps into it."""
        known = self._covered_bytes > 0
        if not known:
            self._covered_bytes = size
        self._after_damage = True
        self._drop(1)
        return [] if known or packet is None else [packet]

    def _skip_to_head(self) -> list[Received]:
        """Drops what stands before the next ##; CR LF between packets is no damage."""
        head = _HEAD.search(self._buffer)
        at = head.start() if head else len(self._buffer) - (1 if self._buffer.endswith(b"#") else 0)
        garbage = bytes(self._buffer[:at])
        self._drop(at)
        if self._after_damage or not garbage.strip(b"\r\n"):
            return []
        self._after_damage = True
        return [Received("malformed", f"garbage: {len(garbage)} bytes outside a packet", garbage)]
