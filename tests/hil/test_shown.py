"""A run's gateway is shown in the product's own console, with what the watch finds in it."""

from contextlib import closing
from pathlib import Path

from msgspec.structs import replace

from gateway.watch.store import Store
from hil import runner, scenario, shown


def test_a_run_ends_with_the_console_on_its_data(tmp_path: Path) -> None:
    """P-326, P-511: treatment that was off for an hour is an alarm in it; the server ends once it has answered."""
    day = replace(scenario.load("day"), target="sim", hours=18)
    runner.run(day, tmp_path, lambda _share, _text: None)
    told: list[str] = []
    shown.show(day, tmp_path / "gateway", lambda address, _password: told.append(address), hold=False)
    assert len(told) == 1
    with closing(Store(tmp_path / "gateway" / "data")) as store:
        alarms = store.rows()
    off = [one for one in alarms if one.kind == "treatment_off"]
    assert {one.kind for one in alarms} == {"treatment_off", "link_lost"}  # what was done to it, and no more
    assert {one.subject for one in off} == {
        "furnace / bag_filter",
        "paint_line / scrubber",
        "mixer / carbon_bed",
    }
