"""What a scenario's faults and orders do to the bench, and when. Meters and loads know their part from the start."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hil.fault_kinds import DISK, STRANGER
from hil.oracle.evidence import Trouble
from hil.scenario import Fault, Scenario, Update
from hil.spans import duration_s
from hil.target import Target, TerminalPart


@dataclass(frozen=True)
class Action:
    """Something that the bench does at a virtual instant."""

    at_ms: int
    text: str
    act: Callable[[Target], None]


def actions(scenario: Scenario) -> list[Action]:
    """Everything to be done, in order of time; what begins with the scenario is a part that comes up late."""
    found = [action for fault in scenario.faults for action in _of(scenario, fault)]
    found += [_rollout(scenario, one) for one in scenario.updates]
    return sorted(found, key=lambda action: action.at_ms)


def absent(scenario: Scenario) -> set[str]:
    """The parts that are not there at the start: broker, gateway, terminals by name."""
    late = {
        _LATE[fault.what]
        for fault in scenario.faults
        if fault.what in _LATE and scenario.span_ms(fault)[0] == scenario.start_ms
    }
    return late | {str(fault.terminal) for fault in scenario.faults if fault.what == "terminal_cloned"}


def troubles(scenario: Scenario) -> list[Trouble]:
    """The faults as the oracle and the picture name them."""
    return [Trouble(fault.what + _whom(fault), *scenario.span_ms(fault)) for fault in scenario.faults]


def refusals(scenario: Scenario) -> set[str] | None:
    """The reasons by which frames may be refused in it; None: any, for somebody forges, alters or copies in it."""
    if any(fault.what in STRANGER | {"terminal_cloned"} for fault in scenario.faults):
        return None
    return {one.quarantined for one in scenario.expect if one.quarantined is not None}


def _of(scenario: Scenario, fault: Fault) -> Iterator[Action]:
    name = fault.what.replace("_", " ") + _whom(fault)
    if fault.what not in _EFFECTS:  # meters and loads follow the plan by themselves
        from_ms, to_ms = scenario.span_ms(fault)
        yield Action(from_ms, f"{name} begins", lambda _target: None)
        yield Action(to_ms, f"{name} ends", lambda _target: None)
        return
    begin, end = _EFFECTS[fault.what]
    for from_ms, to_ms in _spells(scenario, fault):
        if from_ms > scenario.start_ms or fault.what not in _LATE:
            yield Action(from_ms, f"{name} begins", lambda target: begin(target, fault))
        yield Action(to_ms, f"{name} ends", lambda target: end(target, fault))


def _rollout(scenario: Scenario, one: Update) -> Action:
    return Action(
        scenario.instant_ms(one), f"a release is rolled out: {one.release}", lambda target: target.roll_out(one)
    )


def _spells(scenario: Scenario, fault: Fault) -> Iterator[tuple[int, int]]:
    """(from, to) of each time that it holds: the whole, or the first half of each period of what comes and goes."""
    from_ms, to_ms = scenario.span_ms(fault)
    if fault.every is None:
        yield from_ms, to_ms
        return
    every_ms = 1000 * duration_s(fault.every)
    yield from ((at_ms, at_ms + every_ms // 2) for at_ms in range(from_ms, to_ms - every_ms // 2 + 1, every_ms))


def _whom(fault: Fault) -> str:
    """The part that a fault concerns, where it is one of several."""
    one = fault.point or fault.terminal
    return f" ({one})" if one else ""


Effect = Callable[[Target, Fault], None]


def _each(act: Callable[[TerminalPart], None]) -> Effect:
    """Do it to each terminal that the fault concerns."""

    def effect(target: Target, fault: Fault) -> None:
        for name, one in target.terminals.items():
            if fault.terminal in {None, name}:
                act(one)

    return effect


def _slow_down(target: Target, fault: Fault) -> None:
    _each(lambda one: one.link.set_profile(str(fault.profile)))(target, fault)


def _cut(target: Target, fault: Fault) -> None:
    _each(lambda one: one.link.break_after(fault.bytes))(target, fault)


def _clone(target: Target, fault: Fault) -> None:
    """It has no power before, and all that its original has on its flash from now on."""
    plan = next(one for one in target.scenario.terminals if one.name == fault.terminal)
    copy, original = target.terminals[plan.name], target.terminals[plan.id]
    copy.copy_flash(original)
    copy.start()


def _move_rtc(target: Target, fault: Fault) -> None:
    by = str(fault.by)
    seconds = duration_s(by[1:]) * (-1 if by.startswith("-") else 1)
    _each(lambda one: one.move_rtc(seconds))(target, fault)


_OUT_IN: dict[str, tuple[Effect, Effect]] = {
    "mains": (_each(lambda one: one.kill()), _each(lambda one: one.start())),
    "link": (_each(lambda one: one.link.set_up(up=False)), _each(lambda one: one.link.set_up(up=True))),
    "disk": (
        lambda target, fault: target.gateway.fail_disk(DISK[fault.what]),
        lambda target, _: target.gateway.fail_disk(None),
    ),
}
_LATE = {"broker_outage": "broker", "gateway_outage": "gateway"}  # what begins with the scenario comes up late
_EFFECTS: dict[str, tuple[Effect, Effect]] = {
    "broker_outage": (lambda target, _: target.broker.stop(), lambda target, _: target.broker.start()),
    "broker_kill": (lambda target, _: target.broker.kill(), lambda target, _: target.broker.start()),
    "gateway_outage": (lambda target, _: target.gateway.stop(), lambda target, _: target.gateway.start()),
    "gateway_kill": (lambda target, _: target.gateway.kill_after_commit(), lambda target, _: target.gateway.start()),
    "disk_full": _OUT_IN["disk"],
    "disk_failing": _OUT_IN["disk"],
    "terminal_kill": _OUT_IN["mains"],
    "mains_flapping": _OUT_IN["mains"],
    "link_down": _OUT_IN["link"],
    "link_flapping": _OUT_IN["link"],
    "link_cut": (_cut, _each(lambda one: one.link.break_after(None))),
    "slow_link": (_slow_down, _each(lambda one: one.link.set_profile("lan"))),
    "terminal_cloned": (_clone, lambda _target, _: None),
    "rtc_moved": (_move_rtc, lambda _target, _: None),
    "replayed_acks": (lambda target, _: target.stranger.act("replay_acks"), lambda _target, _: None),
    "replayed_frames": (lambda target, _: target.stranger.act("replay"), lambda _target, _: None),
    "forged_frames": (lambda target, _: target.stranger.act("forge"), lambda _target, _: None),
    # what it keeps without an answer is the harder case: the same must not count twice when it comes again
    "platform_silent": (
        lambda target, _: target.platform.obey("silent", keep=True),
        lambda target, _: target.platform.obey("normal"),
    ),
}
