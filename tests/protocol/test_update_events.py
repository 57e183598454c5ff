"""What a terminal says about updates is named for whoever reads it."""

from protocol import record


def test_events_about_updates_have_names_and_say_which_release() -> None:
    """FR-85 FR-86 FR-87"""
    named = {name: values for name, values in record.EVENT_NAMES.values() if name.startswith("update_")}
    assert set(named) == {
        "update_progress", "update_refused", "update_taken", "update_good", "update_rolled_back",
    }  # fmt: skip
    assert {values[0] for values in named.values()} == {"number"}
