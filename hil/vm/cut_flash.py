"""A flash whose power fails at its N-th operation: that program or erase is left half done, and the process is gone.

The cut ends the process at once (`_exit`): no finaliser runs and nothing is flushed, as on a board.
"""

import ffi
from boards import unix

CUT_STATUS = 77
_exit = ffi.open("libc.so.6").func("v", "_exit", "i")


class CutFlash(unix.FileFlash):
    """`cut_at` 0: never. Of that operation `torn` percent of the bytes are done, then come `noise` bytes of garbage."""

    def __init__(self, path: str, blocks: int, cut_at: int, torn: int, noise: int) -> None:
        self.operations = 0
        self._cut_at = cut_at
        self._torn = torn
        self._noise = noise
        unix.FileFlash.__init__(self, path, blocks)

    def _put(self, at: int, data: bytes) -> None:
        self.operations += 1
        if self.operations == self._cut_at:
            done = len(data) * self._torn // 100
            garbage = bytes((self._cut_at * 37 + n * 101) & 0xFF for n in range(min(self._noise, len(data) - done)))
            self._write(at, bytes(memoryview(data)[:done]) + garbage)
            _exit(CUT_STATUS)
        self._write(at, data)
