"""What a scenario's faults do to the bench, and when. Meters and loads know their part of the plan from the start."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hil.oracle.evidence import Trouble
from hil.scenario import Fault, Scenario
from hil.target import Target


@dataclass(frozen=True)
class Action:
    """Something that the bench does at a virtual instant."""

    at_ms: int
    text: str
    act: Callable[[Target], None]


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


def _nothing(_target: Target) -> None:
    """Meters and loads follow the plan by themselves."""


_EFFECTS: dict[str, tuple[Callable[[Target], None], Callable[[Target], None]]] = {
    "broker_outage": (lambda target: target.broker.stop(), lambda target: target.broker.start()),
    "broker_kill": (lambda target: target.broker.kill(), lambda target: target.broker.start()),
    "gateway_outage": (lambda target: target.gateway.stop(), lambda target: target.gateway.start()),
    "gateway_kill": (lambda target: target.gateway.kill_after_commit(), lambda target: target.gateway.start()),
    "terminal_kill": (lambda target: target.terminal.kill(), lambda target: target.terminal.start()),
    # what it keeps without an answer is the harder case: the same must not count twice when it comes again
    "platform_silent": (
        lambda target: target.platform.obey("silent", keep=True),
        lambda target: target.platform.obey("normal"),
    ),
}
