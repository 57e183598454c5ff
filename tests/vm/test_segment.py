# A segment of which the file system can't read all: what it can read is found. Runs on both interpreters.
import io

from terminal import segment

RECORDS = 60
SIZE = 300
CORRUPT, EIO = 84, 5


class Broken:
    """A file of which nothing below `until` can be read."""

    def __init__(self, data: bytes, until: int, errno: int) -> None:
        self.file = io.BytesIO(data)
        self.until = until
        self.errno = errno
        self.reads = 0

    def _look(self) -> None:
        self.reads += 1
        if self.file.tell() < self.until:
            raise OSError(self.errno, "")

    def seek(self, at: int) -> None:
        self.file.seek(at)

    def readinto(self, buffer: bytearray) -> None:
        self._look()
        self.file.readinto(buffer)

    def read(self, count: int) -> bytes:
        self._look()
        return self.file.read(count)


def made() -> bytes:
    data = bytearray(segment.head(7, 1))
    target = Written(data)
    one = segment.Segment(target, 1, len(data))
    for seq in range(1, RECORDS + 1):
        one.append(seq, content(seq))
    return bytes(data)


class Written:
    """A file that is only appended to."""

    def __init__(self, data: bytearray) -> None:
        self.data = data

    def seek(self, at: int) -> None:
        assert at == len(self.data)

    def write(self, data: bytes) -> None:
        self.data.extend(data)

    def flush(self) -> None:
        pass


def content(seq: int) -> bytes:
    return bytes((seq,)) * SIZE


def test_what_can_be_read_behind_a_broken_chain_of_blocks_is_found() -> None:
    # P-180: the bytes below the break are damaged, and looking for its end takes no time worth speaking of
    data = made()
    step = segment.HEADER_BYTES + SIZE
    for until in (1, 17, 4096, 12000, len(data) - step, len(data)):
        file = Broken(data, until, CORRUPT)
        one = segment.Segment(file, 1, len(data))
        lost = [seq for seq in range(1, RECORDS + 1) if segment.HEAD_BYTES + (seq - 1) * step < until]
        found, walker = one.walk_to(1)
        assert found == (len(lost) < RECORDS), until
        if found:
            assert walker.seq == len(lost) + 1
        for seq in range(len(lost) + 1, RECORDS + 1):
            found, walker = one.walk_to(seq)
            assert found
            assert walker.data() == content(seq), (until, seq)
        assert file.reads < 2000, (until, file.reads)


def test_an_error_that_may_pass_is_no_damage() -> None:
    # P-180
    data = made()
    one = segment.Segment(Broken(data, 4096, EIO), 1, len(data))
    try:
        one.walk_to(1)
    except OSError as error:
        assert error.errno == EIO
    else:
        raise AssertionError("it must be tried again")
