"""What a scenario's faults do to the bench, and when. Meters and loads know their part of the plan from the start."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hil.bench import Bench
from hil.oracle.evidence import Trouble
from hil.scenario import Fault, Scenario

BURST_WAIT_S = 4.0  # real: a gateway that has just been started needs one or two to import and connect


@dataclass(frozen=True)
class Action:
    """Something that the bench does at a virtual instant."""

    at_ms: int
    text: str
    act: Callable[[Bench], None]


def actions(scenario: Scenario) -> list[Action]:
    """Everything to be done, in order of time; what begins with the scenario is a part that comes up late."""
    return sorted(
        (action for fault in scenario.faults for action in _of(scenario, fault)), key=lambda action: action.at_ms
    )


def absent(scenario: Scenario) -> set[str]:
    """The parts that are not there at the start."""
    late = {"broker_outage": "broker", "gateway_outage": "gateway"}
    return {
        late[fault.what]
        for fault in scenario.faults
        if fault.what in late and scenario.span_ms(fault)[0] == scenario.start_ms
    }


def troubles(scenario: Scenario) -> list[Trouble]:
    """The faults as the oracle and the picture name them."""
    return [
        Trouble(f"{fault.what}" + (f" ({fault.point})" if fault.point else ""), *scenario.span_ms(fault))
        for fault in scenario.faults
    ]


def _of(scenario: Scenario, fault: Fault) -> Iterator[Action]:
    begin, end = _EFFECTS.get(fault.what, (_nothing, _nothing))
    from_ms, to_ms = scenario.span_ms(fault)
    name = fault.what.replace("_", " ") + (f" ({fault.point})" if fault.point else "")
    if from_ms > scenario.start_ms or begin is _nothing:
        yield Action(from_ms, f"{name} begins", begin)
    yield Action(to_ms, f"{name} ends", end)


def _nothing(_bench: Bench) -> None:
    """Meters and loads follow the plan by themselves."""


def _gateway_killed(bench: Bench) -> None:
    """kill -9 right after its next commit: what it has committed it has not acknowledged yet, or only just."""
    before = bench.gateway.frames()
    deadline = time.monotonic() + BURST_WAIT_S
    while bench.gateway.frames() == before and time.monotonic() < deadline:
        time.sleep(0.001)
    bench.gateway.kill()


_EFFECTS: dict[str, tuple[Callable[[Bench], None], Callable[[Bench], None]]] = {
    "broker_outage": (lambda bench: bench.broker.stop(), lambda bench: bench.broker.start()),
    "broker_kill": (lambda bench: bench.broker.kill(), lambda bench: bench.broker.start()),
    "gateway_outage": (lambda bench: bench.gateway.stop(), lambda bench: bench.gateway.start()),
    "gateway_kill": (_gateway_killed, lambda bench: bench.gateway.start()),
    "terminal_kill": (lambda bench: bench.terminal.kill(), lambda bench: bench.terminal.start()),
    # what it keeps without an answer is the harder case: the same must not count twice when it comes again
    "platform_silent": (
        lambda bench: bench.platform.obey("silent", keep=True),
        lambda bench: bench.platform.obey("normal"),
    ),
}
