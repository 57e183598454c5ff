"""Alarms that a test makes, and an HTTP server that is told of them."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from gateway.watch.dispatch.channels import WebhookEntry
from gateway.watch.dispatch.message import Message
from gateway.watch.dispatch.post import Post
from gateway.watch.finding import Finding
from gateway.watch.looks import FAMILIES
from gateway.watch.store import Known, Look, Progress, Store
from tests.gateway.support import NOW_S

NOW_MS = NOW_S * 1000

SECRET = "dut1-hook-s3cret"  # as short as one may be
Request = tuple[dict[str, str], bytes]


class Alarms:
    """A store whose alarms a test sets: one a linkage."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.store = Store(folder)

    def look(self, linkage: str, kind: str | None, from_s: int, to_s: int, enterprise: str = "E1") -> None:
        """Found in [from_s, to_s), and nothing else around it; kind None: nothing at all."""
        found = [] if kind is None else [Finding(kind, from_s, to_s, {})]
        look = Look(enterprise, linkage, FAMILIES["linkage"], found, from_s, to_s)
        self.store.take([look], Known(Progress(0, 0)), NOW_S * 1000)

    def begin(self, *linkages: str) -> None:
        for one in linkages:
            self.look(one, "treatment_off", NOW_S - 900, NOW_S)

    def close(self) -> None:
        self.store.close()


class HttpServer:
    """On loopback. answer: called with each request, says the status, in a thread of the request's own."""

    def __init__(self, answer: Callable[[Request], int] = lambda _: 204, port: int = 0, tls: Any = None) -> None:
        requests: list[Request] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                requests.append((dict(self.headers), body))
                status = answer(requests[-1])
                with contextlib.suppress(OSError):  # who asked may be gone
                    self.send_response(status)
                    self.send_header("Location", "/elsewhere")
                    self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.requests = requests
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def told(self) -> list[dict[str, Any]]:
        """All changes that it was told, digests taken apart."""
        return [one for _, body in list(self.requests) for one in changes_of(body)]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextlib.contextmanager
def http_server(answer: Callable[[Request], int] = lambda _: 204, tls: Any = None) -> Iterator[HttpServer]:
    server = HttpServer(answer, tls=tls)
    try:
        yield server
    finally:
        server.close()


def changes_of(body: bytes) -> list[dict[str, Any]]:
    document = json.loads(body)
    return list(document.get("told", [document]))


def webhook(folder: Path, port: int, name: str = "duty", **more: Any) -> WebhookEntry:
    """A channel to that port, with its secret in the folder."""
    secret = folder / "duty.secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    given = {"name": name, "url": f"http://127.0.0.1:{port}/hook?to=duty", "secret_file": str(secret)}
    return WebhookEntry(**(given | more))


def channel(name: str = "duty", **more: object) -> WebhookEntry:
    return WebhookEntry(**{"name": name, "url": "https://a.example/", "secret_file": "-", **more})  # type: ignore[arg-type]


class World:
    """Alarms, and the post of one channel."""

    def __init__(self, folder: Path, entry: WebhookEntry | None = None) -> None:
        self.folder, self.entry = folder, entry or channel()
        self.alarms, self.post = Alarms(folder), Post(folder)
        self.post.begin([self.entry.name], NOW_MS)

    def next(self, room: int = 100) -> Message | None:
        return self.post.next(self.entry, {"E1": "First steelworks"}, room)

    def told(self, room: int = 100) -> list[tuple[str, str]]:
        """(linkage, change) of all that is waiting, confirmed one after the other."""
        found = []
        while message := self.next(room):
            found += [(one["alarm"]["subject"], one["change"]) for one in message.told]
            self.post.confirmed(self.entry.name, message, NOW_MS)
        return found

    def killed(self) -> None:
        """The process is another one."""
        self.post.close()
        self.post = Post(self.folder)
        self.post.begin([self.entry.name], NOW_MS)

    def close(self) -> None:
        self.post.close()
        self.alarms.close()
