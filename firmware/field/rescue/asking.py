"""The terminal's own code, asked on its board over a link: a start of its own, in which nothing is sampled or sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from firmware.field.board.errors import BoardRefusedError
from firmware.field.board.link import Link
from protocol import record
from protocol.errors import FrameError
from protocol.host.printable import printable
from protocol.host.tables import is_terminal_id

RECORDS = 96  # of the newest that are looked at: a day's windows of an uplink that works
FRAMES_A_RUN = 8  # 32 KiB of frames and as much base64: three seconds of a console
_TIMEOUT_S = 120.0  # a log of 8 MiB with damage is read through
# As terminal.app puts them together. A configuration that is refused keeps nobody from the log.
_OPEN = """
import json, gc
from binascii import b2a_base64
try:
    store
except NameError:
    import vfs, boards
    from boards import base
    try:
        vfs.umount(base.DATA_DIR)
    except OSError:
        pass
    from terminal import clock, config, counters, log, recorder, rtc_memory
    board = boards.open_board()
    folder = board.data_dir
    feed()
    count = counters.Counters(board.counters_flash())
    timer = clock.Clock(board, clock.next_boot(folder + "/boot", count), rtc_memory.RtcMemory(folder + "/rtc_set"))
    writer = recorder.Recorder(timer, lambda *said: None)
    store = log.Log(
        folder + "/log", writer.encode_own, board.random_bytes, log.segments_for(board.flash_bytes()), count
    )
    feed()
    def name_of():
        with open(folder + "/terminal.json") as file:
            return json.load(file)["terminal"]
"""
_FACTS = """
told = {"boot": timer.boot, "epoch": store.epoch, "next": store.next_seq, "oldest": store.oldest_seq}
told["pending"], told["damaged"] = store.pending_count(), store.damaged_records
told["rtc_s"], told["reset_cause"] = board.rtc_s(), board.reset_cause()
for name, at in (("data", folder), ("code", "/")):
    fs = os.statvfs(at)
    told[name + "_bytes"], told[name + "_free"] = fs[1] * fs[2], fs[1] * fs[3]
told["files"] = sorted(entry[0] for entry in os.ilistdir(folder))
seq = store.next_seq - 1
while seq >= store.oldest_seq and store.next_seq - seq < 5000 and not store.acknowledged(seq, seq):
    seq -= 1
told["acknowledged"] = seq if seq >= store.oldest_seq and store.acknowledged(seq, seq) else None
try:
    told["terminal"] = name_of()
    link = config.load(folder + "/terminal.json").mqtt
    told["broker"] = [link.host, link.port, link.server_name] if link else None
    config.load_key(folder + "/key")
except Exception as error:
    told["refused"] = str(error)
try:
    from loader import slots
    told["slot"] = slots.Slots("/", 0).active
except (ImportError, OSError):
    pass
gc.collect()
told["heap_free"] = gc.mem_free()
print(json.dumps(told))
"""
_RECORDS = """
for seq in range(max({last} - {count}, store.oldest_seq - 1) + 1, {last} + 1):
    data = store.peek(seq)
    if data:
        print(b2a_base64(data).decode(), end="")
    feed()
"""
# As terminal.uplink gathers a backlog: records of one epoch, in order, as many as a frame takes.
_FRAMES = """
from protocol import frame, limits
try:
    mark
except NameError:
    import time
    key, mark = config.load_key(folder + "/key"), int.from_bytes(board.random_bytes(4), "big")
def gathered(after):
    seq = store.next_pending(after)
    records, room, epoch = [], limits.FRAME_BYTES_MAX - 96, None
    while seq is not None and len(records) < limits.RECORDS_MAX:
        data = store.read(seq)
        if data is not None:
            if len(data) > room or epoch not in (None, store.epoch_of(seq)[0]):
                break
            epoch, room = store.epoch_of(seq)[0], room - len(data)
            records.append(data)
        after = seq
        seq = store.next_pending(seq)
    return after, epoch, records
after = {after}
for _ in range({frames}):
    last, epoch, records = gathered(after)
    if not records:
        break
    after = last
    sealed = frame.seal_frame(key, name_of(), epoch, mark, timer.stamp(), records)
    print(last, len(records), b2a_base64(sealed).decode(), end="")
    feed()
"""


WHERE = (
    _OPEN
    + """
try:
    import machine, binascii
    chip = binascii.hexlify(machine.unique_id()).decode()
except (ImportError, AttributeError):
    chip = None
print(json.dumps([folder, chip]))
"""
)


def facts(link: Link) -> dict[str, Any]:
    """What the terminal's own code says of itself. Raises BoardError; no secret is in it."""
    found: dict[str, Any] = json.loads(link.run(_OPEN + _FACTS, _TIMEOUT_S).splitlines()[-1])
    return found


def newest_records(link: Link, last: int, count: int = RECORDS) -> list[record.Record]:
    """The newest that are still there, up to a number; what is damaged is not among them."""
    lines = link.run(_OPEN + _RECORDS.format(last=last, count=count), _TIMEOUT_S).split()
    found = []
    for line in lines:
        try:
            found.append(record.decode_record(base64.b64decode(line)))
        except FrameError:  # another version's
            continue
    return found


def pending_frames(link: Link) -> Iterator[tuple[int, bytes]]:
    """(records in it, frame) of all that the gateway has not acknowledged, sealed on the board, in order.

    The records stay pending: an ack of this start of the terminal never comes, they are repetitions when it sends them.
    """
    after = 0
    while True:
        lines = link.run(_OPEN + _FRAMES.format(after=after, frames=FRAMES_A_RUN), _TIMEOUT_S).splitlines()
        for line in lines:
            last, records, text = line.split(b" ")
            after = int(last)
            yield int(records), base64.b64decode(text)
        if not lines:
            return


def terminal_name(link: Link) -> str:
    """Which terminal it is. BoardRefusedError: not provisioned, or by a name that no terminal has: files get names
    of it, and whoever had the flash in hand may have written anything there.
    """
    try:
        name = link.run(_OPEN + "print(name_of())").decode("utf-8", "replace").strip()
    except BoardRefusedError as error:
        raise BoardRefusedError(
            f"{link.port}: no terminal: it has no configuration that can be read / 板上没有可读取的终端配置",
            error.traceback,
        ) from error
    if not is_terminal_id(name):
        raise BoardRefusedError(f"{link.port}: {printable(name)[:80]}: no terminal's id / 板上的终端编号无效")
    return name
