"""Messages as senders with umqtt.simple publish them: micropython umqtt_way.py PORT TOPIC FILE

FILE has a message a line. MQTT 3.1.1 at QoS 1 over one connection; whoever publishes stands still until the PUBACK is
there, and reads no meter meanwhile. Prints a JSON object: blocked_ms (of each message), cpu_ms (of all).
"""

import json
import socket
import struct
import sys
import time

PUBLISH_QOS_1, PUBACK = 0x32, b"\x40\x02"
CONNECT_CLEAN = b"\x00\x04MQTT\x04\x02\x00\x00"


def length_of(size: int) -> bytes:
    """A packet's remaining length (MQTT 3.1.1, 2.2.3)."""
    found = b""
    while size > 127:
        found += bytes((size & 127 | 128,))
        size >>= 7
    return found + bytes((size,))


def text(data: bytes) -> bytes:
    """A string behind its length."""
    return struct.pack(">H", len(data)) + data


def main(port: int, topic: bytes, path: str) -> None:
    """Do it."""
    link = socket.socket()
    link.connect(socket.getaddrinfo("127.0.0.1", port)[0][-1])
    body = CONNECT_CLEAN + text(b"umqtt")
    link.write(b"\x10" + length_of(len(body)) + body)  # type: ignore[attr-defined]
    link.read(4)  # type: ignore[attr-defined]
    with open(path, "rb") as file:
        messages = file.read().split(b"\n")
    blocked_ms = []
    began_s = time.clock()  # type: ignore[attr-defined]
    for number, message in enumerate(messages, 1):
        began_us = time.ticks_us()  # type: ignore[attr-defined]
        body = text(topic) + struct.pack(">H", number) + message
        link.write(bytes((PUBLISH_QOS_1,)) + length_of(len(body)) + body)  # type: ignore[attr-defined]
        if link.read(4) != PUBACK + struct.pack(">H", number):  # type: ignore[attr-defined]
            raise OSError("no PUBACK")
        blocked_ms.append(time.ticks_diff(time.ticks_us(), began_us) / 1000)  # type: ignore[attr-defined]
    cpu_ms = 1000 * (time.clock() - began_s)  # type: ignore[attr-defined]
    link.close()
    print(json.dumps({"blocked_ms": blocked_ms, "cpu_ms": cpu_ms}))


main(int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3])
