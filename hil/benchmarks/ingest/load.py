"""`python -m hil.benchmarks.ingest.load PORT TERMINALS PHASES FRAMES WINDOWS SEED`: all terminals at once.

A phase is FRAMES frames of WINDOWS windows from each terminal, made beforehand. At each SIGUSR1 the next phase is
published, the first frames of all terminals first, and no more than UNDER_WAY_MAX of a terminal without an ack; when
each frame has its ack, a line {"seconds": ...} is printed.
"""

import json
import select
import signal
import socket
import sys
import time

from cext import mqtt_stream
from gateway.intake.deliveries import DOWN, UP
from gateway.mqtt import packets
from hil.benchmarks import realistic
from protocol import frame, mac

SECRET = bytes(range(32))
EPOCH, BOOT = 7, 1
POINTS = realistic.POINTS
DAY_S = 86_400
PUBLISHERS = 8  # connections; what the broker does for one more is not what is measured
IN_FLIGHT = 65_535
UNDER_WAY_MAX = 8  # frames of a terminal: it sends on when acks come
READ_BYTES = 1 << 18
PHASE_S = 120.0  # a phase that takes longer has failed
TURN_S = 0.0005  # between two looks: the other processes need the processors
PACKET_BYTES_MAX = 1 << 16


def names(count: int) -> list[str]:
    """The terminals' ids."""
    return [f"T{number:05d}" for number in range(count)]


def windows(phases: int, seed: int, now_s: int) -> list[bytes]:
    """One record a phase, all of the day before now_s."""
    return realistic.windows(phases, seed, now_s - DAY_S + phases * realistic.WINDOW_S)


def streams(terminals: list[str], frames: list[list[bytes]]) -> list[list[bytes]]:
    """What each publisher sends in a phase of these frames, each as its records: for each frame, that of its terminals.

    A publisher has its own terminals, and sends a frame of each before the second one of any: no batch of the gateway's
    has two of one terminal, so each frame gets an ack of its own.
    """
    key = mac.Key(SECRET, 1)
    found = []
    for publisher in range(PUBLISHERS):
        own, rounds = terminals[publisher::PUBLISHERS], []
        for number, raws in enumerate(frames):
            made = [(name, frame.seal_frame(key, name, EPOCH, BOOT, 900_000 * number + 1, raws)) for name in own]
            numbered = dict(enumerate(made, start=1 + number * len(own)))
            rounds.append(mqtt_stream.publishes(UP.encode(), numbered, PACKET_BYTES_MAX, dup=False)[0])
        found.append(rounds)
    return found


def phases_of(raws: list[bytes], frames: int, windows_each: int) -> list[list[list[bytes]]]:
    """For each phase its frames, each as its records."""
    by_frame = [raws[at : at + windows_each] for at in range(0, len(raws), windows_each)]
    return [by_frame[at : at + frames] for at in range(0, len(by_frame), frames)]


def connect(port: int, name: str) -> tuple[socket.socket, mqtt_stream.Parser]:
    """A client that the broker has accepted."""
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(packets.connect(name, None, 600, 0, IN_FLIGHT, PACKET_BYTES_MAX))
    parser = mqtt_stream.Parser(PACKET_BYTES_MAX, 64, 0, DOWN.encode())
    answer = parser.feed(client.recv(READ_BYTES), 0)
    if not answer.controls:
        raise RuntimeError(f"the broker does not accept {name}: {answer}")
    return client, parser


class _Sender:
    """A publisher, and what of its rounds it may send."""

    def __init__(self, client: socket.socket, rounds: list[bytes]) -> None:
        self.client = client
        self._waiting = rounds
        self._left = memoryview(b"")
        self._allowed = 0
        self.allow(UNDER_WAY_MAX)

    def allow(self, rounds: int) -> bool:
        """So many rounds may be sent; whether that is more than before."""
        more = self._waiting[self._allowed : rounds]
        if more:
            self._left = memoryview(b"".join([bytes(self._left), *more]))
            self._allowed += len(more)
        return bool(more)

    def send(self) -> bool:
        """As much as the socket takes; whether something is left."""
        self._left = self._left[self.client.send(self._left) :]
        return bool(self._left)


class Load:
    """The connections: publishers, and one that sees every ack."""

    def __init__(self, port: int) -> None:
        self._publishers = [connect(port, f"load-{number}")[0] for number in range(PUBLISHERS)]
        for one in self._publishers:
            one.setblocking(False)  # noqa: FBT003  (the socket's own word)
        self._acks, self._parser = connect(port, "load-acks")
        self._acks.sendall(packets.subscribe(DOWN + "+", 1))
        self._parser.feed(self._acks.recv(READ_BYTES), 0)

    def publish(self, streams_of_phase: list[list[bytes]], terminals: int) -> float:
        """Seconds from the first publish to the last ack."""
        poll, rounds = select.epoll(), len(streams_of_phase[0])
        shares = zip(self._publishers, streams_of_phase, strict=True)
        senders = {one.fileno(): _Sender(one, share) for one, share in shares}
        for number in senders:
            poll.register(number, select.EPOLLIN | select.EPOLLOUT)
        poll.register(self._acks, select.EPOLLIN)
        begun_s, acked = time.monotonic(), 0
        while acked < terminals * rounds:
            if time.monotonic() > begun_s + PHASE_S:
                raise RuntimeError(f"{acked} of {terminals * rounds} frames acknowledged after {PHASE_S:g} s")
            for number, events in poll.poll(1):
                if number == self._acks.fileno():
                    acked += self._count_acks()
                    for one in senders.values():
                        if one.allow(UNDER_WAY_MAX + acked // terminals):
                            poll.modify(one.client, select.EPOLLIN | select.EPOLLOUT)
                    continue
                if events & select.EPOLLIN:
                    senders[number].client.recv(READ_BYTES)  # PUBACKs
                if events & select.EPOLLOUT and not senders[number].send():
                    poll.modify(number, select.EPOLLIN)
            time.sleep(TURN_S)
        poll.close()
        return time.monotonic() - begun_s

    def _count_acks(self) -> int:
        found = self._parser.feed(self._acks.recv(READ_BYTES), READ_BYTES).packet_ids
        self._acks.sendall(mqtt_stream.pubacks(found))
        return len(found)


def main() -> None:
    """See above."""
    port, terminals, phases, frames, windows_each, seed = (int(word) for word in sys.argv[1:])
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    raws = windows(phases * frames * windows_each, seed, int(time.time()))
    made = [streams(names(terminals), phase) for phase in phases_of(raws, frames, windows_each)]
    load = Load(port)
    sys.stdout.write('{"ready": true}\n')
    sys.stdout.flush()
    for streams_of_phase in made:
        signal.sigwait({signal.SIGUSR1})
        sys.stdout.write(json.dumps({"seconds": load.publish(streams_of_phase, terminals)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
