"""A NATS connection of our own, in one thread and without callbacks.

Requests are written in batches and their answers are read as they come, so that one wake-up and one system call serve
hundreds of messages: some 3 us each, where nats-py takes 27 and more. The only module that opens the socket.
"""

import contextlib
import select
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import msgspec

from gateway.config import JetStreamConfig
from gateway.files import read_password
from gateway.jetstream.parser import Message, Parser

CONNECT_S = 3.0  # for TCP, TLS and each answer of the first words: a node on another continent needs a tenth
ANSWER_S = 5.0  # of a quorum that is being elected; after that it is another node's turn
READ_BYTES = 1 << 18
UNANSWERED_MAX = 4096  # requests under way: 8 MiB of 2 KiB frames that wait in the server for us


class NatsError(Exception):
    """The server can't be used now. reason: unreachable, silent, denied or protocol."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(f"{reason}: {text}")
        self.reason = reason


class Client:
    """Connected to one of the servers, from the first use until an error; after that to the next one."""

    def __init__(
        self, config: JetStreamConfig, name: str, token: Callable[[], str], steady_s: Callable[[], float]
    ) -> None:
        """token(): a word that no other connection has. Nothing is sent before the first request. Raises OSError."""
        self._config, self._name, self._token, self._steady_s = config, name, token, steady_s
        self._password = read_password(config.password_file)
        self._socket: socket.socket | None = None
        self._parser = Parser()
        self._waiting: list[Message] = []
        self._pongs = 0  # owed to the server: written between whole messages, since a send may stop within one
        self._inbox = b""
        self._number = 0  # of the last request: answers to earlier ones that were given up are told by it
        self.tries = 0  # connections begun; it says whose turn it is

    @property
    def server(self) -> str:
        """The server that is in use, or next."""
        return self._config.servers[max(self.tries - 1, 0) % len(self._config.servers)]

    def request(self, subject: str, data: bytes = b"") -> Message:
        """One request, one answer. Raises NatsError."""
        return self.request_all([(subject.encode(), data)])[0]

    def request_all(self, requests: Sequence[tuple[bytes, bytes]]) -> list[Message]:
        """The answer to each (subject, data), sent in order. Raises NatsError: any of them may have had its effect."""
        answers: list[Message] = []
        with self._giving_up():
            for at in range(0, len(requests), UNANSWERED_MAX):
                answers += self._round(requests[at : at + UNANSWERED_MAX])
        return answers

    def inbox(self) -> bytes:
        """A subject that is delivered to this connection, and to no other. Raises NatsError."""
        with self._giving_up():
            self._connected()
        self._number += 1
        return b"%b.%d" % (self._inbox, self._number)

    def send(self, subject: bytes, reply: bytes, data: bytes) -> None:
        """One message; what it brings is for `receive`. Raises NatsError."""
        with self._giving_up():
            self._write(_publish(subject, reply, data))

    def receive(self, wait_s: float) -> list[Message]:
        """What has come by now, or comes first within wait_s. Raises NatsError."""
        with self._giving_up():
            connection = self._connected()
            if not self._waiting and _ready(connection, wait_s, writing=False):
                self._read(connection)
                self._pong()
            found, self._waiting = self._waiting, []
            return found

    def attend(self) -> None:
        """Between uses: answer the server's PING, since it ends the connection of who does not, after some minutes."""
        if self._socket is not None:
            with contextlib.suppress(NatsError):  # then the next use connects anew
                self.receive(0)

    def close(self) -> None:
        """End the connection; the next use makes another, to the next server."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._parser, self._waiting, self._pongs = None, Parser(), [], 0

    # --- one connection

    @contextlib.contextmanager
    def _giving_up(self) -> Iterator[None]:
        """After any error the connection is not used again."""
        try:
            yield
        except (OSError, ValueError) as error:
            self.close()
            reason = "unreachable" if isinstance(error, OSError) else "protocol"
            raise NatsError(reason, f"{self.server}: {error}") from error
        except BaseException:
            self.close()
            raise

    def _round(self, requests: Sequence[tuple[bytes, bytes]]) -> list[Message]:
        """As request_all, of as many as may be under way."""
        connection, count = self._connected(), len(requests)
        first = self._number + 1
        self._number += count
        numbered = enumerate(requests, start=first)
        left = memoryview(b"".join([_publish(to, b"%b.%d" % (self._inbox, n), data) for n, (to, data) in numbered]))
        answers: dict[int, Message] = {}
        until_s = self._steady_s() + ANSWER_S
        while left or len(answers) < count:
            wait_s = until_s - self._steady_s()
            if wait_s <= 0 or not _ready(connection, wait_s, writing=bool(left)):
                raise NatsError(
                    "silent", f"{self.server}: {count - len(answers)} of {count} messages without an answer"
                )
            left = left[_send(connection, left) :]
            if self._read(connection):
                answers |= self._answers(first)
                until_s = self._steady_s() + ANSWER_S
            if not left:
                self._pong()
        return [answers[number] for number in range(first, first + count)]

    def _answers(self, first: int) -> dict[int, Message]:
        """What has come for the requests from number `first` on. The rest is a consumer's: for `receive`."""
        at = len(self._inbox) + 1
        answers: dict[int, Message] = {}
        others: list[Message] = []
        for one in self._waiting:
            number = 0 if one.reply else int(one.subject[at:])
            if number >= first:
                answers[number] = one
            else:
                others.append(one)
        self._waiting = others
        return answers

    def _read(self, connection: socket.socket) -> bool:
        """Take in what has come; whether there was anything. Raises OSError, ValueError, NatsError."""
        data = _receive(connection)
        if data is None:
            return False
        self._waiting += self._parser.feed(data)
        lines, self._parser.lines = self._parser.lines, []
        for line in lines:
            if line.startswith(b"PING"):
                self._pongs += 1
            elif line.startswith(b"-ERR"):
                raise _refused(f"{self.server}: {line[4:].decode('utf-8', 'replace').strip()}")
        return True

    def _pong(self) -> None:
        """Answer each PING that has come."""
        owed, self._pongs = self._pongs, 0
        self._write(b"PONG\r\n" * owed)

    def _write(self, data: bytes) -> None:
        """All of it; for what is short."""
        connection, left = self._connected(), memoryview(data)
        until_s = self._steady_s() + ANSWER_S
        while left:
            if not _ready(connection, max(until_s - self._steady_s(), 0), writing=True):
                raise NatsError("silent", f"{self.server}: takes nothing")
            left = left[_send(connection, left) :]

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self.tries += 1
            host, _, port = self.server.rpartition(":")
            with ExitStack() as closing:
                plain = closing.enter_context(socket.create_connection((host, int(port)), timeout=CONNECT_S))
                secure = closing.enter_context(self._secured(plain, host))
                self._greet(secure)
                closing.pop_all()
                self._socket = secure
        return self._socket

    def _secured(self, plain: socket.socket, host: str) -> socket.socket:
        """INFO, and TLS if it is asked for."""
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is sent is whole
        info = _line(plain)
        if not info.startswith(b"INFO "):
            raise ValueError(f"no NATS server: it says {info[:40]!r}")
        if self._config.tls_ca_file is not None:
            return ssl.create_default_context(cafile=self._config.tls_ca_file).wrap_socket(plain, server_hostname=host)
        if msgspec.json.decode(info[5:]).get("tls_required"):
            raise NatsError("denied", f"{self.server}: takes TLS only: tls_ca_file is missing")
        return plain

    def _greet(self, connection: socket.socket) -> None:
        """CONNECT, the inbox's subscription; a PING is answered when all that is well."""
        words: dict[str, object] = {
            "verbose": False,
            "pedantic": False,
            "headers": True,
            "no_responders": True,
            "protocol": 1,
        }
        words |= {"name": self._name, "lang": "python", "version": "1"}
        login = {"user": self._config.user, "pass": self._password} if self._config.user else {}
        said = msgspec.json.encode(words | login)
        self._inbox, self._number = f"_INBOX.{self._token()}".encode(), 0
        connection.sendall(b"CONNECT %b\r\nSUB %b.> 1\r\nPING\r\n" % (said, self._inbox))
        while not (line := _line(connection)).startswith(b"PONG"):
            if line.startswith(b"-ERR"):
                raise _refused(f"{self.server}: {line[4:].decode('utf-8', 'replace').strip()}")
        connection.setblocking(False)  # noqa: FBT003  (the socket's own word)


def _publish(subject: bytes, reply: bytes, data: bytes) -> bytes:
    return b"PUB %b %b %d\r\n%b\r\n" % (subject, reply, len(data), data)


def _refused(text: str) -> NatsError:
    return NatsError("denied" if "uthori" in text or "uthenti" in text or "ermissions" in text else "protocol", text)


def _line(connection: socket.socket) -> bytes:
    """The next line, a byte a time: nothing that follows it may be taken before TLS is."""
    data = bytearray()
    while not data.endswith(b"\r\n"):
        one = connection.recv(1)
        if not one or len(data) > READ_BYTES:
            raise ConnectionResetError("closed by the server")
        data += one
    return bytes(data[:-2])


def _ready(connection: socket.socket, wait_s: float, *, writing: bool) -> bool:
    """Whether there is something to read, or where it is asked for room to write, within wait_s."""
    if isinstance(connection, ssl.SSLSocket) and connection.pending():
        return True
    poll = select.poll()
    poll.register(connection, select.POLLIN | (select.POLLOUT if writing else 0))
    return bool(poll.poll(wait_s * 1000))


def _receive(connection: socket.socket) -> bytes | None:
    """What came; None: nothing now. Raises OSError, also where the server has closed."""
    try:
        data = connection.recv(READ_BYTES)
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return None
    if not data:
        raise ConnectionResetError("closed by the server")
    return data


def _send(connection: socket.socket, data: memoryview) -> int:
    """How many bytes of it were taken."""
    if not data:
        return 0
    try:
        return connection.send(data)
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return 0
