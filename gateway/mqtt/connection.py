"""A TCP or TLS connection to the broker, not blocking once it is open."""

import contextlib
import select
import socket
import ssl

from gateway.config import MqttConfig, MqttSinkConfig
from gateway.files import read_password

OPEN_S = 5.0  # TCP and TLS, each; a stop waits for it


class Connection:
    """An open connection. Errors are OSError."""

    def __init__(self, config: MqttConfig | MqttSinkConfig, wake: int | None = None) -> None:
        """Connect; wake: a descriptor that ends a `wait` when it is readable. Raises OSError."""
        plain = socket.create_connection((config.host, config.port), timeout=OPEN_S)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is sent is whole
            self._tls = config.tls_ca_file is not None
            if self._tls:
                context = ssl.create_default_context(cafile=config.tls_ca_file)
                plain = context.wrap_socket(plain, server_hostname=config.host)
            plain.setblocking(False)  # noqa: FBT003  (the socket's own word)
        except BaseException:
            plain.close()
            raise
        self._socket = plain
        self._wake = wake
        self._mask = select.POLLIN
        self._poll = select.poll()
        self._poll.register(self._socket, self._mask)
        if wake is not None:
            self._poll.register(wake, select.POLLIN)

    def receive_into(self, buffer: memoryview) -> int:
        """How many bytes came; 0: none now. Raises OSError, also where the broker has closed."""
        count = 0
        try:
            count = self._receive(buffer)
            while self._tls and count < len(buffer):  # TLS gives a record a call, and poll does not see the others
                count += self._receive(buffer[count:])
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        return count

    def hasten(self) -> None:
        """Have TCP acknowledge what came at once: a broker that gathers small packets (Nagle) waits 40 ms for it."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def send(self, data: bytearray) -> int:
        """How many bytes of it were taken."""
        try:
            return self._socket.send(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0

    def wait(self, timeout_s: float, *, reading: bool, writing: bool) -> bool:
        """Until there is something to read or room to write, as asked for, or a wake-up: whether it was that."""
        mask = (select.POLLIN if reading else 0) | (select.POLLOUT if writing else 0)
        if mask != self._mask:
            self._poll.modify(self._socket, mask)
            self._mask = mask
        return any(descriptor == self._wake for descriptor, _ in self._poll.poll(timeout_s * 1000))

    def close(self) -> None:
        """Close it, whatever state it is in."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _receive(self, buffer: memoryview) -> int:
        count = self._socket.recv_into(buffer)
        if count == 0:
            raise ConnectionResetError("closed by the broker")
        return count


def read_login(config: MqttConfig | MqttSinkConfig) -> tuple[str, str | None] | None:
    """User name and password, where the broker wants them. Raises OSError."""
    if config.username is None:
        return None
    return config.username, read_password(config.password_file)
