"""bench.toml: a board's bench, as it is plugged together. docs/bench.md has an example."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from protocol.host import strict

Port = Annotated[str, msgspec.Meta(pattern=r"^/dev/[\w/.:+-]{1,200}$")]
Baud = Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200]


class Console(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The board's serial console, where MicroPython's REPL is."""

    port: Port
    baud: Baud = 115200


class Meters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The RS-485 adapter on which the emulated meters answer, and the board's UART at the other end."""

    port: Port
    baud: Baud = 9600
    uart: Annotated[int, msgspec.Meta(ge=0, le=7)] = 0
    timeout_ms: Annotated[int, msgspec.Meta(ge=20, le=5000)] = 500  # for an answer; the terminal's


class Power(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The relay in the board's supply. modbus: a coil of a unit, by `port` or by TCP at `host`. command: two programs.

    none: there is no relay; scenarios that cut the power can't be played.
    """

    kind: Literal["modbus", "command", "none"]
    port: Port | None = None
    baud: Baud = 9600
    host: str | None = None
    tcp_port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 502
    unit: Annotated[int, msgspec.Meta(ge=1, le=247)] = 1
    coil: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    on_when: bool = True  # what the coil is while the board has power; false: it hangs on the relay's idle contact
    on: list[str] = []
    off: list[str] = []


class Network(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How the board reaches the broker: this machine's address in the bench's own network."""

    address: Annotated[str, msgspec.Meta(pattern=r"^[0-9.]{7,15}$")] = "127.0.0.1"


class Wire(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"end": "from"}):
    """A wire, for whoever has to put it back."""

    end: str
    to: str
    note: str = ""


class BenchFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The bench. terminal: what more the board needs in its terminal.json (docs/terminal.md), such as its network.

    clock: a file by which a stand-in gets the bench's scaled time; a board has its own, and is played in real time.
    """

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    board: str
    console: Console
    meters: Meters
    power: Power
    network: Network = Network()
    wire: list[Wire] = []
    terminal: dict[str, Any] = {}
    clock: str | None = None

    def ports(self) -> list[Path]:
        """Every device that a run takes for itself."""
        used = [self.console.port, self.meters.port, self.power.port]
        return [Path(port) for port in used if port is not None]


def read(file: Path) -> BenchFile:
    """The bench that a file describes. Raises strict.ConfigError with every problem, each with its line."""
    found = strict.read(file, BenchFile)
    problems = [strict.Problem(file, key, text) for key, text in _problems(found)]
    if problems:
        raise strict.ConfigError(problems)
    return found


def _problems(bench: BenchFile) -> list[tuple[str, str]]:
    power, found = bench.power, []
    if power.kind == "modbus" and (power.port is None) == (power.host is None):
        found.append(("power", "kind modbus: port or host, one of them / port 与 host 二选一"))
    if power.kind == "command" and not (power.on and power.off):
        found.append(("power", 'kind command: on and off, each a program with its arguments, ["uhubctl", "-a", "on"]'))
    ports = bench.ports()
    found += [("meters.port", f"{port} is there twice / 端口重复") for port in set(ports) if ports.count(port) > 1]
    return found
