"""Opens the log of a flash image, on the VM, and prints what is pending: micropython log_dump.py IMAGE SEGMENTS

A JSON object a line: first {"epoch", "next", "damaged"}, then {"seq", and "text" of the record up to its filling, its
"length", or "event" and "values", or "window" and its end}.
"""

import json
import os
import sys

from boards import base, unix
from plain_events import log_event
from terminal import counters, log

from protocol import record


def told(one: record.Record) -> "dict[str, object]":
    """What a real record says, in short."""
    if one.type == record.EVENT:
        return {"event": one.body.code, "values": one.body.values}
    return {"window": one.body.end_uptime_s}


def main(image: str, segments: int) -> None:
    """Print it; recovery may have written an event before."""
    base.mount(unix.FileFlash(image))
    reserved = counters.Counters(unix.counters_flash(image))
    store = log.Log(base.DATA_DIR + "/log", log_event, os.urandom, segments, reserved)
    print(json.dumps({"epoch": store.epoch, "next": store.next_seq, "damaged": store.damaged_records}))
    seq = store.next_pending(0)
    while seq is not None:
        data = store.read(seq)
        found: "dict[str, object]" = {"seq": seq}
        if data is None:
            found["text"] = None
        elif data[0] == 0x83:
            found.update(told(record.decode_record(data)))
        else:
            found["text"], found["length"] = data.rstrip(b"x").decode(), len(data)
        print(json.dumps(found))
        seq = store.next_pending(seq)


main(sys.argv[1], int(sys.argv[2]))
