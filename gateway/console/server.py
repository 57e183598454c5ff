"""The console served over HTTP, on loopback."""

import os
import socket
import threading
from collections.abc import Callable

import uvicorn

from gateway.clock import steady_s
from gateway.console.app import Console
from gateway.console.house import House
from gateway.console.settings import OidcConfig
from gateway.console.sign_on import Names
from gateway.console.users import Users

BACKLOG = 128  # connections that wait to be taken: a browser opens six


def serve(house: House, known: Users, ready: Callable[[str, Callable[[], None]], None]) -> None:
    """Serve until SIGTERM or Ctrl-C, which is passed on as KeyboardInterrupt once the server has ended.

    ready: called with the address, once it can be opened, and with what ends the server. Raises OSError.
    """
    config = house.config.console
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((config.host, config.port))
        listener.listen(BACKLOG)
        settings = uvicorn.Config(
            Console(house, known, steady_s, os.urandom, provider=_provider(config.oidc)).app,
            log_level="warning",
            server_header=False,
            limit_concurrency=config.connections_max,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=3,
        )
        name = f"[{config.host}]" if family == socket.AF_INET6 else config.host
        server = uvicorn.Server(settings)
        threading.Thread(target=house.warm, name="warm", daemon=True).start()
        ready(f"http://{name}:{listener.getsockname()[1]}/", lambda: setattr(server, "should_exit", True))
        server.run(sockets=[listener])


def _provider(config: OidcConfig | None) -> Names | None:
    if config is None:
        return None
    from gateway.console.oidc import Provider  # noqa: PLC0415  what it needs comes with the extra `oidc`

    return Provider(config)
