"""A nats-server of the bench with JetStream: its own port and store, ended with the bench."""

from pathlib import Path
from typing import Self

from hil.ports import free_port
from hil.process import BenchError, Process

_CONFIG = """\
listen: "127.0.0.1:{port}"
{jetstream}
{more}
"""
_JETSTREAM = 'jetstream {{ store_dir: "{store}"; sync_interval: {sync}; {limits} }}'


class Nats:
    """A server on 127.0.0.1:`port`; the port stays the same over restarts.

    limits: of its JetStream's configuration, None for a server that has none; more: of its own; sync: how soon what is
    acknowledged is on the disk.
    """

    def __init__(
        self, program: Path, folder: Path, limits: str | None = "", more: str = "", sync: str = "always"
    ) -> None:
        if not program.exists():
            raise BenchError(f"{program} is not there: run `make setup` / 缺少工具，请先运行 make setup")
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.store = folder / "store"
        config = folder / "nats.conf"
        jetstream = "" if limits is None else _JETSTREAM.format(store=self.store, sync=sync, limits=limits)
        config.write_text(_CONFIG.format(port=self.port, jetstream=jetstream, more=more), encoding="utf-8")
        self.process = Process("nats-server", [str(program), "-c", str(config)], folder / "nats.log")

    def start(self) -> None:
        """Start it and wait until it is ready."""
        size = self.process.log.stat().st_size if self.process.log.exists() else 0
        self.process.start()
        self.process.wait_for_line("Server is ready", 30, size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()


def make_worker(
    config: Path, name: str, servers: list[str], stream: str = "wattline-journal", replicas: int = 3
) -> None:
    """Make a gateway.toml that of a worker of these servers (docs/scale.md), or of a follower."""
    text = config.read_text(encoding="utf-8")
    text = text.replace("[mqtt]\n", f'[mqtt]\nclient_id = "{name}"\nshare = "workers"\n')
    listed = ", ".join(f'"{one}"' for one in servers)
    about = f'[jetstream]\nservers = [{listed}]\nstream = "{stream}"\nreplicas = {replicas}\n'
    config.write_text(f'{text}[journal]\nkind = "jetstream"\n{about}', encoding="utf-8")
