"""A PostgreSQL of the bench: a cluster of its own on loopback, ended with the bench. Never a system service."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from hil.ports import free_port
from hil.process import BenchError, Process

_NOBODY = 65534  # the server refuses to run as root
_CONFIG = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
logging_collector = off
max_connections = 20
{more}
"""


class Postgres:
    """A server on 127.0.0.1:`port`, database `postgres`, user `wattline`, no password."""

    def __init__(self, programs: Path, log: Path, more: str = "") -> None:
        if not (programs / "initdb").exists():
            raise BenchError(f"{programs} is not there: run `make setup` / 缺少工具，请先运行 make setup")
        self.port = free_port()
        # a place that the server's user can reach, whoever may enter the folder of the run
        self.folder = Path(tempfile.mkdtemp(prefix="wattline-postgres-"))
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            os.chown(self.folder, _NOBODY, _NOBODY)
            self._as_user = [
                "setpriv",
                f"--reuid={_NOBODY}",
                f"--regid={_NOBODY}",
                "--clear-groups",
                "--pdeathsig=KILL",
            ]
        data = self.folder / "data"
        self._run(programs / "initdb", "-D", data, "-U", "wattline", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        (data / "postgresql.conf").write_text(_CONFIG.format(port=self.port, more=more))
        self.process = Process("postgres", [*self._as_user, str(programs / "postgres"), "-D", str(data)], log)

    @property
    def dsn(self) -> str:
        """How to connect."""
        return f"host=127.0.0.1 port={self.port} dbname=postgres user=wattline"

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        size = self.process.log.stat().st_size if self.process.log.exists() else 0
        self.process.start()
        self.process.wait_for_line("database system is ready to accept connections", 60, size)

    def stop(self) -> None:
        """Its fast shutdown, which ends connections: a service manager's. SIGTERM would wait for the clients."""
        self.process.stop(how=signal.SIGINT)

    def copy_state(self, name: str) -> Path:
        """The cluster's files as they are now, while it does not run."""
        to = self.folder / name
        self._run("cp", "-a", self.folder / "data", to)
        return to

    def put_back(self, state: Path) -> None:
        """The cluster is as it was, while it does not run."""
        shutil.rmtree(self.folder / "data")
        self._run("cp", "-a", state, self.folder / "data")

    def _run(self, *words: Path | str) -> None:
        command = [*self._as_user, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder, timeout=120)
        if done.returncode:
            raise BenchError(f"{words[0]}: {done.stderr.strip() or done.stdout.strip()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
