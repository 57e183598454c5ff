"""One terminal of the image with what it needs: meters on a bus, mosquitto by TCP or TLS 1.2, the gateway, a link."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from firmware import image
from hil import wiring
from hil.authority import Authority
from hil.broker import Broker
from hil.clock import ScaledClock
from hil.gateway import Gateway
from hil.link import Link
from hil.meter_bus import MeterBus
from hil.scenario import Point, Scenario
from hil.terminal import ROOT, Terminal

VM = ROOT / "build" / "vm32" / "micropython"  # objects, small ints and blocks are as large as the boards'
MOSQUITTO = ROOT / "build" / "mosquitto" / "mosquitto"
BROKER = "localhost"
START = datetime(2026, 3, 2, tzinfo=UTC)
BUILT_S = int(START.timestamp()) - 86_400
LEAD_S = 4.0  # until everything is up
# Nine points of six models: each model's profile is on the heap once.
MODELS = ("sdm630", "dtsu666", "adl400", "iem3155", "dtsu666", "sdm630", "adw300", "iem3255", "dtsu666")


class Parts(NamedTuple):
    """What runs, or is ready to be started. link: between terminal and broker; it runs."""

    terminal: Terminal
    broker: Broker
    gateway: Gateway
    clock: ScaledClock
    meters: MeterBus
    link: Link


def scenario(hours: int, factor: int, sample_interval_s: int) -> Scenario:
    """The factory."""
    points = [
        Point(name=f"p{number}", kind="other", profile=model, address=number, rated_w=10_000 * number)
        for number, model in enumerate(MODELS, 1)
    ]
    return Scenario(
        name="lone_terminal", title="", title_zh="", start=START, hours=hours, factor=factor, points=points,
        sample_interval_s=sample_interval_s,
    )  # fmt: skip


@contextmanager
def provisioned(
    folder: Path, played: Scenario, backlog: int, *, secure: bool = True, times: wiring.Times = wiring.HERE
) -> Iterator[Parts]:
    """The terminal with so many windows in its log; of the parts meters and link run. Raises BenchError."""
    authority = Authority()
    server = authority.server_files(authority.issue(BROKER), folder / "server")
    root = folder / "root"
    image.build("unix", root, (1, 0, 0), BUILT_S)
    clock = ScaledClock.starting_in(LEAD_S, played.start_ms, played.factor)
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(MOSQUITTO, folder / "broker", tls=server))
        link = stack.enter_context(Link(folder / "link", broker.tls_port if secure else broker.port))
        (plan,) = played.terminals
        ports = wiring.Ports(broker.port, 1, links={plan.name: link.start()})
        config = wiring.write_gateway(played, folder / "gateway", ports)
        gateway = stack.enter_context(Gateway(config, clock))
        meters = stack.enter_context(MeterBus(played, plan, folder / "meters", clock))
        meters.start()
        terminal = stack.enter_context(Terminal(VM, folder / "terminal", clock, meters.uart(), "set", root=root))
        wanted = wiring.terminal_json(played, plan, ports, times)
        files = {}
        if secure:
            wanted["mqtt"] |= {"tls": {"server_name": BROKER}}
            files = authority.terminal_files(authority.issue(plan.id))
        terminal.provision(wanted, wiring.key_json(played.seed), files)
        terminal.run_vm("prefill.py", str(terminal.image), str(backlog), str(len(MODELS)))
        yield Parts(terminal, broker, gateway, clock, meters, link)
