"""What pages reach a gateway's files and stores by. Thread-safe: requests are answered in threads."""

import threading
from contextlib import suppress
from pathlib import Path

from gateway import registry
from gateway.clock import Clock
from gateway.config import GatewayConfig
from gateway.registry import Registry
from gateway.watch import enterprises
from gateway.watch.enterprises import Enterprise
from protocol.host.strict import ConfigError

_Stamp = tuple[tuple[int, int, int] | None, ...]


class House:
    """A gateway's. config_path: of gateway.toml; clock: the gateway's."""

    def __init__(self, config: GatewayConfig, config_path: Path, clock: Clock) -> None:
        self.config, self.config_path, self.clock = config, config_path, clock
        self.folder = Path(config.data_dir)
        self._lock = threading.Lock()
        self._seen: _Stamp | None = None
        self._known: tuple[Registry, list[Enterprise]] = (Registry(), [])

    @property
    def now_s(self) -> int:
        """Unix seconds."""
        return self.clock.now_ms() // 1000

    def registry(self) -> Registry:
        """The terminals as terminals.toml has them now, without keys: no page needs one. Raises ConfigError."""
        return self._load()[0]

    def enterprises(self) -> list[Enterprise]:
        """Those of enterprises.toml; none where that file can't be used: `check` says why. Raises ConfigError."""
        return self._load()[1]

    def warm(self) -> None:
        """Read the files before a page asks for them; what is wrong in them the page is told."""
        with suppress(ConfigError):
            self._load()

    def _load(self) -> tuple[Registry, list[Enterprise]]:
        """The files, read again where one is another than before: they take seconds for a province."""
        files = [Path(self.config.terminals), *([Path(self.config.enterprises)] if self.config.enterprises else [])]
        with self._lock:
            seen = tuple(_stamp(file) for file in files)
            if seen != self._seen:
                known = registry.load(files[0], with_keys=False)
                self._known, self._seen = (known, _enterprises(files[1:], known)), seen
            return self._known


def _enterprises(files: list[Path], known: Registry) -> list[Enterprise]:
    try:
        return [one for file in files for one in enterprises.load(file, known)]
    except ConfigError:
        return []


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
