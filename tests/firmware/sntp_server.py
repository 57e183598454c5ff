"""An SNTP server on loopback that answers as a test wants it."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_UNIX_S = 2208988800
Answers = Callable[[bytes, int], list[bytes]]  # (request, how many came before): the packets to send


def answer(
    request: bytes, shift_s: float = 0, first: int = 0x24, stratum: int = 2, reference: bytes = b"GPS\0"
) -> bytes:
    """What a good server says, `shift_s` from the host's time."""
    now = (time.time_ns() + int(shift_s * 1e9) + _UNIX_S * 10**9) % (10**9 << 32)
    stamp = struct.pack(">II", now // 10**9, (now % 10**9 << 32) // 10**9)
    return bytes((first, stratum, 6, 0xEC)) + bytes(8) + reference + bytes(8) + request[40:48] + stamp + stamp


@contextmanager
def sntp_server(answers: Answers) -> Iterator[tuple[int, list[bytes]]]:
    """(its port, the requests that came)."""
    requests: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.1)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                try:
                    data, sender = sock.recvfrom(512)
                except TimeoutError:
                    continue
                requests.append(data)
                for one in answers(data, len(requests) - 1):
                    sock.sendto(one, sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()[1], requests
        finally:
            ended.set()
            thread.join()
