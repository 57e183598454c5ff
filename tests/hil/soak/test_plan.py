"""P-433: what goes wrong in a soak is drawn from its seed, and leaves the gateway one life that is long enough."""

from hypothesis import given, settings
from hypothesis import strategies as st

from hil.soak.plan import EARLY, QUIET_MINUTES, TERMINALS, scenario_of


@settings(max_examples=8)
@given(seed=st.integers(0, 2**31 - 1))
def test_an_hour_has_many_faults_and_the_gateway_one_life_for_two_thirds_of_it(seed: int) -> None:
    """P-433: each is one that the scenario's own check takes; all is well again at the end."""
    scenario = scenario_of(seed, 60)
    assert scenario == scenario_of(seed, 60)
    assert len(scenario.terminals) == TERMINALS
    assert len(scenario.faults) >= scenario.hours // 2
    third_ms = scenario.start_ms + (scenario.end_ms - scenario.start_ms) // 3
    for fault in scenario.faults:
        from_ms, to_ms = scenario.span_ms(fault)
        assert to_ms <= scenario.end_ms - QUIET_MINUTES * 60_000
        assert fault.what not in EARLY or from_ms < third_ms
