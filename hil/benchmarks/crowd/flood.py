"""`python -m hil.benchmarks.crowd.flood PORT RATE SECONDS SEED TERMINAL`: bad frames through a broker, RATE a second.

The frames are those of hil/bad_frames.py, with TERMINAL as the victim. Prints {"published": N} when it is done: RATE
times SECONDS, however late they are on a busy machine.
"""

import json
import socket
import sys
import time

from cext import mqtt_stream
from gateway.intake.deliveries import UP
from gateway.mqtt import packets
from hil.bad_frames import bad_frames

TICK_S = 0.02
PACKET_BYTES_MAX = 1 << 16
KEEPALIVE_S = 600
IN_FLIGHT = 65_535
READ_BYTES = 1 << 18


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
    while (passed_s := time.monotonic() - begun_s) < seconds or published < rate * seconds:
        due = int(min(passed_s, seconds) * rate) - published
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
