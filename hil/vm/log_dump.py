"""Opens the log of a flash image, on the VM, and prints what is pending: micropython log_dump.py IMAGE SEGMENTS [write]

A JSON object a line: first {"epoch", "next", "damaged", "boot"}, then {"seq", "epoch"} and the "name" of a record of
log_work.py, or "event" and "values", or "window" and its end.
With `write` a record is appended and read at last: {"writable"}.
"""

import json
import os
import sys

from boards import base, unix
from plain_events import body_of, log_event, named
from terminal import counters, log, small_file

from protocol import record


def told(data: "bytes | None") -> "dict[str, object]":
    """What a record says, in short."""
    name = body_of(data) if data else None
    if not data or name is not None:
        return {"name": name}
    one = record.decode_record(data)
    if one.type == record.EVENT:
        return {"event": one.body.code, "values": one.body.values}
    return {"window": one.body.end_uptime_s, "bytes": len(data)}


def main(image: str, segments: int, *, write: bool) -> None:
    """Print it; recovery may have written events before."""
    base.mount(unix.FileFlash(image))
    reserved = counters.Counters(unix.counters_flash(image))
    store = log.Log(base.DATA_DIR + "/log", log_event, os.urandom, segments, reserved)
    boot = max(int.from_bytes(small_file.read(base.DATA_DIR + "/boot") or b"\0", "big"), reserved.boot)
    print(json.dumps({"epoch": store.epoch, "next": store.next_seq, "damaged": store.damaged_records, "boot": boot}))
    seq = store.next_pending(0)
    while seq is not None:
        found: "dict[str, object]" = {"seq": seq, "epoch": store.epoch_of(seq)[0]}
        found.update(told(store.read(seq)))
        print(json.dumps(found))
        seq = store.next_pending(seq)
    if write:
        seq = store.append(lambda seq: named(seq, "0-1"))
        print(json.dumps({"writable": body_of(store.peek(seq) or b"") == "0-1"}))


main(sys.argv[1], int(sys.argv[2]), write=sys.argv[3:] == ["write"])
