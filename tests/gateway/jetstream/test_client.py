"""The NATS connection against servers that a script plays, and its parser against any cut of the bytes."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import JetStreamConfig
from gateway.jetstream.client import Client, NatsError
from gateway.jetstream.parser import MESSAGE_BYTES_MAX, Message, Parser

DEADLINE_S = 60.0
READ_BYTES = 1 << 16
SENT_BYTES = 1 << 24  # more than the system holds of a sender (tcp_wmem: 4 MiB) and of this receiver


class Scripted:
    """A server whose one connection `play` has."""

    def __init__(self, play: Callable[[socket.socket], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(DEADLINE_S)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, READ_BYTES)  # a connection has it of this one
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, args=(play,), daemon=True)
        self._thread.start()

    def _run(self, play: Callable[[socket.socket], None]) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(DEADLINE_S)
        with connection:
            play(connection)

    def close(self) -> None:
        self._thread.join()
        self._listener.close()


def client_of(port: int) -> Client:
    return Client(JetStreamConfig(servers=[f"127.0.0.1:{port}"]), "test", lambda: "only", time.monotonic)


def until(connection: socket.socket, wanted: bytes) -> bytes:
    """What comes up to `wanted`."""
    data = bytearray()
    while wanted not in data[-2 * READ_BYTES :]:
        some = connection.recv(READ_BYTES)
        assert some, bytes(data[-1000:])
        data += some
    return bytes(data)


def greet(connection: socket.socket) -> bytes:
    connection.sendall(b'INFO {"tls_required": false}\r\n')
    said = until(connection, b"PING\r\n")
    connection.sendall(b"PONG\r\n")
    return said


def test_the_servers_ping_is_answered_between_uses() -> None:
    """P-223: a worker with nothing to do keeps its connection."""
    answered = threading.Event()

    def play(connection: socket.socket) -> None:
        assert greet(connection).startswith(b"CONNECT {")
        connection.sendall(b"PING\r\n")
        until(connection, b"PONG\r\n")
        answered.set()

    server = Scripted(play)
    client = client_of(server.port)
    client.attend()  # nothing is there to be kept
    assert client.tries == 0
    assert client.inbox() == b"_INBOX.only.1"
    deadline = time.monotonic() + DEADLINE_S
    while not answered.wait(0.01) and time.monotonic() < deadline:
        client.attend()
    assert answered.is_set()
    assert client.tries == 1
    client.close()
    server.close()


def test_the_servers_ping_within_a_message_is_answered_behind_it() -> None:
    """P-223: a payload that is sent in pieces stays whole; what is for a consumer waits for it meanwhile."""
    came: list[bytes] = []

    def play(connection: socket.socket) -> None:
        greet(connection)
        data = connection.recv(1)  # it has begun, and does not get on while nothing is read
        connection.sendall(b"PING\r\nHMSG _INBOX.only.1 1 16 16\r\nNATS/1.0 408\r\n\r\n\r\n")
        came.append(data + until(connection, b"PONG\r\n"))
        connection.sendall(b"MSG _INBOX.only.2 1 2\r\nok\r\n")

    server = Scripted(play)
    client = client_of(server.port)
    assert client.inbox() == b"_INBOX.only.1"
    assert client.request("any", bytes(SENT_BYTES)).data == b"ok"
    assert [(one.subject, one.status) for one in client.receive(0)] == [(b"_INBOX.only.1", 408)]
    client.close()
    server.close()
    assert came[0] == b"PUB any _INBOX.only.2 %d\r\n%b\r\nPONG\r\n" % (SENT_BYTES, bytes(SENT_BYTES))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "protocol: 127.0.0.1:"),
        (b"", "unreachable: 127.0.0.1:"),
        (b'INFO {"tls_required": true}\r\n', "denied: 127.0.0.1:"),
        (b"INFO {}\r\n-ERR 'Authorization Violation'\r\n", "denied: 127.0.0.1:"),
        (b"INFO {}\r\nPONG\r\nMSG _INBOX.only.1 1 99999999999\r\n", "protocol: 127.0.0.1:"),
        (b"INFO {}\r\nPONG\r\n-ERR 'Slow Consumer'\r\n", "protocol: 127.0.0.1:"),
        (b"INFO {}\r\nPONG\r\nMSG _INBOX.only.1 1 5\r\nhel", "unreachable: 127.0.0.1:"),
    ],
)
def test_what_is_no_nats_server_is_named_and_left(said: bytes, reason: str) -> None:
    """P-222: garbage, a huge length, silence in mid-message: an error with its reason, and no connection any more."""

    def play(connection: socket.socket) -> None:
        connection.sendall(said)
        with contextlib.suppress(ConnectionResetError):  # until the client has had enough
            while not reason.startswith("unreachable") and connection.recv(1000):
                pass

    server = Scripted(play)
    client = client_of(server.port)
    with pytest.raises(NatsError) as error:
        client.request("any", b"")
    assert str(error.value).startswith(reason)
    assert client._socket is None
    server.close()


_WORDS = st.from_regex(rb"[a-z.]{1,12}", fullmatch=True)
_MESSAGES = st.lists(
    st.tuples(_WORDS, st.one_of(st.just(b""), _WORDS), st.sampled_from([0, 404, 503]), st.binary(max_size=40))
)


def written(one: tuple[bytes, bytes, int, bytes]) -> bytes:
    subject, reply, status, data = one
    names = b" ".join([subject, b"1", *([reply] if reply else [])])
    if not status:
        return b"MSG %b %d\r\n%b\r\n" % (names, len(data), data)
    head = b"NATS/1.0 %d No\r\n\r\n" % status
    return b"HMSG %b %d %d\r\n%b%b\r\n" % (names, len(head), len(head) + len(data), head, data)


@given(_MESSAGES, st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_any_cut_of_the_bytes_gives_the_same_messages(
    messages: list[tuple[bytes, bytes, int, bytes]], sizes: list[int]
) -> None:
    """P-222: however TCP hands them over."""
    data = b"INFO {}\r\n" + b"PING\r\n".join(map(written, messages))
    parser, found, at, turn = Parser(), list[Message](), 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        found += parser.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    assert found == [Message(*one) for one in messages]
    assert parser.lines == [b"INFO {}"] + [b"PING"] * max(len(messages) - 1, 0)


@pytest.mark.parametrize(
    "data", [b"MSG a 1\r\n", b"MSG a 1 b c 5\r\n", b"MSG a 1 -1\r\n", b"MSG a 1 x\r\n", b"HMSG a 1 5\r\n"]
)
def test_what_the_protocol_has_not_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Parser().feed(data)
    with pytest.raises(ValueError, match=f"{MESSAGE_BYTES_MAX + 1} bytes"):
        Parser().feed(b"MSG a 1 %d\r\n" % (MESSAGE_BYTES_MAX + 1))
