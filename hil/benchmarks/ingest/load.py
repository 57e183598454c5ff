"""`python -m hil.benchmarks.ingest.load PORT TERMINALS PHASES SEED`: all terminals at once.

A phase is one frame of one window from each terminal, made beforehand. At each SIGUSR1 the next phase is published;
when each frame has its ack, a line {"seconds": ...} is printed.
"""

import json
import random
import select
import signal
import socket
import sys
import time

from cext import mqtt_stream
from gateway.intake import packets
from gateway.intake.deliveries import DOWN, UP
from hil.benchmarks import realistic
from protocol import frame, mac, record

SECRET = bytes(range(32))
EPOCH, BOOT = 7, 1
POINTS = 9  # of a terminal, on average: 60,414 points, 7,056 terminals
PUBLISHERS = 8  # connections; what the broker does for one more is not what is measured
IN_FLIGHT = 65_535
READ_BYTES = 1 << 18
PHASE_S = 60.0  # a phase that takes longer has failed
TURN_S = 0.0005  # between two looks: the other processes need the processors
PACKET_BYTES_MAX = 1 << 16


def names(count: int) -> list[str]:
    """The terminals' ids."""
    return [f"T{number:05d}" for number in range(count)]


def windows(phases: int, seed: int, now_s: int) -> list[bytes]:
    """One record a phase, all of the day before now_s; energies rise as the power says."""
    rnd = random.Random(seed)
    first_s = now_s // 900 * 900 - 86_400
    found = []
    for number in range(phases):
        made = realistic.window(rnd, POINTS, number)
        readings = [
            one._replace(
                e_import_wh=1_000_000 + nominal_w * number // 4, r_import_varh=500_000 + nominal_w * number // 8
            )
            for one, nominal_w in zip(made.readings, realistic.NOMINAL_W, strict=True)
        ]
        found.append(record.encode_window(number, made._replace(start_s=first_s + 900 * number, readings=readings)))
    return found


def streams(terminals: int, phases: int, seed: int, now_s: int) -> list[list[bytes]]:
    """For each phase, what each publisher sends."""
    key = mac.Key(SECRET, 1)
    found = []
    for number, raw in enumerate(windows(phases, seed, now_s)):
        of_phase: list[dict[int, tuple[str, bytes]]] = [{} for _ in range(PUBLISHERS)]
        for at, name in enumerate(names(terminals)):
            data = frame.seal_frame(key, name, EPOCH, BOOT, 900_000 * number + 1, [raw])
            of_phase[at % PUBLISHERS][at // PUBLISHERS + 1] = (name, data)
        found.append([mqtt_stream.publishes(UP.encode(), one, PACKET_BYTES_MAX, dup=False)[0] for one in of_phase])
    return found


def connect(port: int, name: str) -> tuple[socket.socket, mqtt_stream.Parser]:
    """A client that the broker has accepted."""
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(packets.connect(name, None, 600, 0, IN_FLIGHT, PACKET_BYTES_MAX))
    parser = mqtt_stream.Parser(PACKET_BYTES_MAX, 64, 0, DOWN.encode())
    answer = parser.feed(client.recv(READ_BYTES), 0)
    if not answer.controls:
        raise RuntimeError(f"the broker does not accept {name}: {answer}")
    return client, parser


class Load:
    """The connections: publishers, and one that sees every ack."""

    def __init__(self, port: int) -> None:
        self._publishers = [connect(port, f"load-{number}")[0] for number in range(PUBLISHERS)]
        for one in self._publishers:
            one.setblocking(False)  # noqa: FBT003  (the socket's own word)
        self._acks, self._parser = connect(port, "load-acks")
        self._acks.sendall(packets.subscribe(DOWN + "+", 1))
        self._parser.feed(self._acks.recv(READ_BYTES), 0)

    def publish(self, streams_of_phase: list[bytes], frames: int) -> float:
        """Seconds from the first publish to the last ack."""
        poll = select.epoll()
        left = {one.fileno(): memoryview(data) for one, data in zip(self._publishers, streams_of_phase, strict=True)}
        clients = {one.fileno(): one for one in self._publishers}
        for number in clients:
            poll.register(number, select.EPOLLIN | select.EPOLLOUT)
        poll.register(self._acks, select.EPOLLIN)
        begun_s, acked = time.monotonic(), 0
        while acked < frames:
            if time.monotonic() > begun_s + PHASE_S:
                raise RuntimeError(f"{acked} of {frames} frames acknowledged after {PHASE_S:g} s")
            for number, events in poll.poll(1):
                if number == self._acks.fileno():
                    acked += self._count_acks()
                    continue
                if events & select.EPOLLIN:
                    clients[number].recv(READ_BYTES)  # PUBACKs
                if events & select.EPOLLOUT:
                    left[number] = left[number][clients[number].send(left[number]) :]
                    if not left[number]:
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
    port, terminals, phases, seed = (int(word) for word in sys.argv[1:])
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    made = streams(terminals, phases, seed, int(time.time()))
    load = Load(port)
    sys.stdout.write('{"ready": true}\n')
    sys.stdout.flush()
    for streams_of_phase in made:
        signal.sigwait({signal.SIGUSR1})
        sys.stdout.write(json.dumps({"seconds": load.publish(streams_of_phase, terminals)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
