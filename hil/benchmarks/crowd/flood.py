"""`python -m hil.benchmarks.crowd.flood PORT RATE SECONDS SEED TERMINAL`: bad frames through a broker, RATE a second.

Frames of everybody and nobody: of terminals that are not admitted, each under a name of its own or all under one; and
under the name of TERMINAL, which is: forged, cut, too long, bombs. Prints {"published": N} when it is done.
"""

import itertools
import json
import random
import socket
import sys
import time
from collections.abc import Iterator

from cext import mqtt_stream
from gateway.intake import packets
from gateway.intake.deliveries import UP
from hil.benchmarks import realistic
from protocol import frame, mac, record

TICK_S = 0.02
PACKET_BYTES_MAX = 1 << 16
KEEPALIVE_S = 600
IN_FLIGHT = 65_535
READ_BYTES = 1 << 18
FORGER = mac.Key(b"forger's own secret of 32 bytes!", 1)


def bad_frames(seed: int, victim: str) -> Iterator[tuple[str, bytes]]:
    """(terminal, frame) without end."""
    chance = random.Random(seed)
    raw = record.encode_window(1, realistic.window(chance))
    for number in itertools.count():
        forged = frame.seal_frame(FORGER, victim, 7, 1, number, [raw])
        yield from (
            (f"U{chance.randrange(1 << 30):08x}", forged),
            ("U00000000", forged),
            (victim, forged),
            (victim, forged[: chance.randrange(len(forged))]),
            (victim, forged + bytes(4096)),
            (victim, b"\x81" * 4000),
            (victim, b"\xd1\x84\x46\xa2\x01\x05\x04\x41\x01\xa0\x5b" + b"\xff" * 8),
            (victim, chance.randbytes(chance.randrange(1, 2000))),
        )


def main() -> None:
    """See above."""
    port, rate, seconds, seed = (int(word) for word in sys.argv[1:5])
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(packets.connect("flood", None, KEEPALIVE_S, 0, IN_FLIGHT, PACKET_BYTES_MAX))
    client.recv(READ_BYTES)
    frames, published = bad_frames(seed, sys.argv[5]), 0
    sys.stdout.write('{"ready": true}\n')
    sys.stdout.flush()
    begun_s = time.monotonic()
    while (passed_s := time.monotonic() - begun_s) < seconds:
        due = int(passed_s * rate) - published
        some = {published % IN_FLIGHT + number + 1: one for number, one in zip(range(due), frames, strict=False)}
        if some:
            client.sendall(mqtt_stream.publishes(UP.encode(), some, PACKET_BYTES_MAX, dup=False)[0])
            published += len(some)
        client.setblocking(False)  # noqa: FBT003  (the socket's own word)
        try:
            client.recv(READ_BYTES)  # PUBACKs
        except BlockingIOError:
            pass
        finally:
            client.setblocking(True)  # noqa: FBT003
        time.sleep(TICK_S)
    sys.stdout.write(json.dumps({"published": published}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
