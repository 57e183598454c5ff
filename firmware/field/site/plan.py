"""site.toml as typed tables; deploy/example has one. Paths are relative to its folder; no secret stands in it.

[enterprise]                        who is measured, and where
[gateway]                           to whom the terminals' keys are sealed
[broker], [network], [sntp]         how terminals reach the gateway; a terminal may have its own
[[terminal]]                        one a switchboard, with its board
[[terminal.bus]]                    an RS-485 port of the board, and its line
[[terminal.bus.point]]              a measured feeder, and the meter on this bus that measures it
[[linkage]]                         which treatment belongs to which production
"""

from typing import Annotated, Literal

import msgspec

from protocol import configuration, limits
from protocol.host.tables import Name, Port, Section, Text

RUN_SHARE = 20  # a point runs above a twentieth of its rated power, if the plan doesn't say: above standby
TIMEOUT_MS = 500  # the slowest meters take 300 to answer

Watt = Annotated[int, msgspec.Meta(ge=1, le=limits.POWER_W_MAX)]
Ratio = Annotated[int, msgspec.Meta(ge=1, le=configuration.RATIO_MAX)]
Baud = Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200]
Parity = Literal["N", "E", "O"]
Stop = Literal[1, 2]
Address = Annotated[
    int | str,
    msgspec.Meta(description="1 to 247, or a DL/T 645 meter's 12 digits in quotes / 1 到 247，或引号内 12 位表号"),
]


class Enterprise(Section, frozen=True):
    """[enterprise]"""

    id: Name
    name: Text
    address: Text | None = None


class Gateway(Section, frozen=True):
    """[gateway]: what `wattline gateway sealing-key` printed. update_keys: the file that `wattline field bundle trust`
    wrote; without it terminals take no releases, and no tickets for a closed console.
    """

    sealing_key: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^[0-9a-f]{64}$", description="64 hex digits, as `wattline gateway sealing-key` prints them"
        ),
    ]
    update_keys: Text | None = None


class Broker(Section, frozen=True):
    """[broker]. server_name: TLS; the broker's certificate must bear it, and be of the authority in `ca`."""

    host: Text
    port: Port = 1883
    keepalive_s: Annotated[int, msgspec.Meta(ge=5, le=3600)] = 60
    server_name: Text | None = None
    ca: Text | None = None


class Network(Section, frozen=True):
    """[network]: the Wi-Fi of boards that have it. password_file: one line, readable by its owner alone."""

    ssid: Text
    password_file: Text


class Sntp(Section, frozen=True):
    """[sntp]: a time server of the plant's own network."""

    host: Text
    port: Port = 123


class Point(Section, frozen=True):
    """[[terminal.bus.point]]. serial: of the meter, if it is known; what answers must have it."""

    number: Annotated[int, msgspec.Meta(ge=1, le=limits.POINTS_MAX)]
    name: Text
    role: Literal["production", "treatment", "other"]
    profile: Text
    address: Address
    rated_power_w: Watt
    circuit: Annotated[int, msgspec.Meta(ge=1, le=limits.POINTS_MAX)] = 1
    ct_ratio: Ratio = 1
    pt_ratio: Ratio = 1
    phases: Literal[1, 3] = 3
    run_threshold_w: Watt | None = None
    serial: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,16}$")] | None = None
    baud: Baud | None = None
    parity: Parity | None = None
    stop: Stop | None = None


class Bus(Section, frozen=True):
    """[[terminal.bus]]"""

    uart: Annotated[int, msgspec.Meta(ge=0, le=configuration.UARTS_MAX - 1)]
    point: list[Point]
    baud: Baud = 9600
    parity: Parity = "N"
    stop: Stop = 1
    timeout_ms: Annotated[int, msgspec.Meta(ge=10, le=10000)] = TIMEOUT_MS


class Terminal(Section, frozen=True):
    """[[terminal]]. certificate, certificate_key: PEM or DER, its own, where the broker is reached by TLS."""

    id: Name
    place: Text
    board: Literal["esp32s3", "rp2", "unix"]
    bus: list[Bus]
    sample_interval_s: Annotated[int, msgspec.Meta(ge=1, le=limits.WINDOW_S)] = 10
    certificate: Text | None = None
    certificate_key: Text | None = None
    broker: Broker | None = None
    network: Network | None = None

    @property
    def points(self) -> list[Point]:
        """Of all buses, in the plan's order."""
        return [point for bus in self.bus for point in bus.point]


class Linkage(Section, frozen=True):
    """[[linkage]]: as an enterprise's in the gateway's enterprises.toml. Points are TERMINAL/NUMBER."""

    name: Text
    production: list[Text]
    treatment: list[Text]
    production_on_w: Watt
    treatment_on_w: Watt


class Plan(Section, frozen=True):
    """The whole file."""

    enterprise: Enterprise
    gateway: Gateway
    broker: Broker
    terminal: list[Terminal]
    network: Network | None = None
    sntp: Sntp | None = None
    linkage: list[Linkage] = msgspec.field(default_factory=list)
