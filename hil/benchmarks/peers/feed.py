"""`python -m hil.benchmarks.peers.feed PORT FORM TERMINALS COUNT SEED NOW_S`: publishes all messages, made beforehand.

At SIGUSR1, as fast as the broker takes them; prints {"begun_ns": ...} (CLOCK_MONOTONIC) as it begins and
{"published_s": ...} when the broker has acknowledged the last one.
"""

import json
import select
import signal
import sys
import time

from cext import mqtt_stream
from gateway.intake.deliveries import UP
from hil.benchmarks.ingest.load import PACKET_BYTES_MAX, PUBLISHERS, READ_BYTES, TURN_S, connect
from hil.benchmarks.peers.readings import messages

FEED_S = 60.0  # a broker that takes longer has failed
PUBACK_BYTES = 4
IDS_MAX = 65_535  # so many messages a connection: each has a packet id of its own


def streams(made: list[tuple[str, bytes]]) -> list[bytes]:
    """What each publisher sends."""
    shares: list[dict[int, tuple[str, bytes]]] = [{} for _ in range(PUBLISHERS)]
    for at, message in enumerate(made):
        shares[at % PUBLISHERS][at // PUBLISHERS + 1] = message
    return [mqtt_stream.publishes(UP.encode(), share, PACKET_BYTES_MAX, dup=False)[0] for share in shares]


def publish(port: int, made: list[tuple[str, bytes]], begun: signal.Signals) -> None:
    """Connect, wait for the signal, publish."""
    if len(made) > PUBLISHERS * IDS_MAX:
        raise ValueError(f"at most {PUBLISHERS * IDS_MAX} messages")
    left = [memoryview(data) for data in streams(made)]
    clients = [connect(port, f"feed-{number}")[0] for number in range(PUBLISHERS)]
    poll = select.epoll()
    for client in clients:
        client.setblocking(False)  # noqa: FBT003  (the socket's own word)
        poll.register(client, select.EPOLLIN | select.EPOLLOUT)
    places = {client.fileno(): number for number, client in enumerate(clients)}
    _say({"ready": True})
    signal.sigwait({begun})
    begun_ns, acked = time.monotonic_ns(), 0
    _say({"begun_ns": begun_ns})
    while acked < len(made) * PUBACK_BYTES:
        if time.monotonic_ns() > begun_ns + FEED_S * 1e9:
            raise RuntimeError(f"{acked // PUBACK_BYTES} of {len(made)} messages taken after {FEED_S:g} s")
        for descriptor, events in poll.poll(1):
            at = places[descriptor]
            if events & select.EPOLLIN:
                acked += len(clients[at].recv(READ_BYTES))
            if events & select.EPOLLOUT:
                left[at] = left[at][clients[at].send(left[at]) :]
                if not left[at]:
                    poll.modify(descriptor, select.EPOLLIN)
        time.sleep(TURN_S)
    _say({"published_s": (time.monotonic_ns() - begun_ns) / 1e9})


def _say(what: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """See above."""
    port, form = int(sys.argv[1]), sys.argv[2]
    terminals, count, seed, now_s = (int(word) for word in sys.argv[3:])
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    publish(port, messages(form, terminals, count, seed, now_s), signal.SIGUSR1)


if __name__ == "__main__":
    main()
