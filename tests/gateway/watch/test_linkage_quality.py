"""What the linkage rule finds in factories whose treatment was switched off, of which it is known when."""

from tests.gateway.watch.quality import measure

FACTORIES, DAYS, SEED = 12, 14, 20  # `python -m tests.gateway.watch.quality` has as many as one likes


def test_treatment_that_is_off_is_found_within_two_windows_and_nothing_else_is() -> None:
    """P-243."""
    quality = measure(FACTORIES, DAYS, SEED)
    again = f"python -m tests.gateway.watch.quality --factories {FACTORIES} --days {DAYS} --seed {SEED}"
    assert quality.done > FACTORIES, again
    assert (quality.missed, quality.false) == ([], []), again
    assert max(quality.delay_windows) <= 2, (quality.delay_windows, again)
