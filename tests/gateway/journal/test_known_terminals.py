"""A terminal's log is at hand from its frame before: nothing may depend on that."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import VerifyConfig
from gateway.database import StoreUnavailableError
from gateway.journal import index
from gateway.journal.journal import Journal
from gateway.journal.reader import Reader
from gateway.registry import Terminal
from tests.gateway.support import NOW_S, POINT, Accepted, Sender, batch_of, reading, terminal_of, window

SENDERS = [Sender(name) for name in ("T0001", "T0002", "T0003")]

# a frame: whose, of which epoch, the numbers of its records
frames = st.tuples(
    st.integers(0, 2), st.integers(6, 8), st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True)
)
# a batch, and what happens to the journal before it
steps = st.tuples(st.sampled_from(["", "", "opened", "indexed", "forgotten", "refused"]), st.lists(frames, max_size=4))
Step = tuple[str, list[tuple[int, int, list[int]]]]


def before_batch(journal: Journal, what: str, batch: list[Accepted]) -> None:
    """The journal opened anew; its index written, and its logs forgotten; a commit that the disk refuses."""
    opened = journal._open()
    if what == "opened":
        journal.close()
    if what in {"indexed", "forgotten"}:
        index.write(opened.connection, opened.ledger, opened.next_id - 1)
    if what == "forgotten":
        opened.ledger.settle(0)
    if what == "refused" and batch:
        opened.connection.execute("PRAGMA query_only = ON")
        with pytest.raises(StoreUnavailableError):
            journal.commit(batch_of(batch))


def told(
    batches: list[tuple[str, list[tuple[str, bytes]]]], terminal_of_name: Callable[[str], Terminal]
) -> list[object]:
    """All that a new journal says of these batches, and of itself in the end."""
    with TemporaryDirectory() as name:
        journal, found = Journal(Path(name), VerifyConfig()), list[object]()
        for what, of in batches:
            batch = [Accepted(terminal_of_name(one), data, NOW_S) for one, data in of]
            before_batch(journal, what, batch)
            committed = journal.commit(batch_of(batch))
            found.append((committed.outcomes, committed.epochs_back, committed.findings))
        found += [journal.holes(), [journal.newest_epoch(one.name) for one in SENDERS]]
        journal.close()
        return [*found, Reader(Path(name)).records_after(0, 1000)]


@settings(max_examples=20)
@given(st.lists(steps, max_size=8))
def test_a_terminal_that_is_known_from_before_is_taken_as_one_that_is_looked_up(some: list[Step]) -> None:
    """P-173: over logs that begin and come back, starts, refused commits and a ledger that forgets its logs."""
    sealed = [(what, [sent(*one) for one in of]) for what, of in some]
    by_name = {one.name: one for one in SENDERS}
    kept = {name: terminal_of(one, {1: POINT}) for name, one in by_name.items()}
    looked_up = told(sealed, lambda name: terminal_of(by_name[name], {1: POINT}))
    assert told(sealed, kept.__getitem__) == looked_up
    assert told(sealed, kept.__getitem__) == looked_up  # the same terminals, and another journal


def sent(sender: int, epoch: int, numbers: list[int]) -> tuple[str, bytes]:
    """(terminal, frame). The registers tell the epochs' logs apart."""
    records = [
        window(seq, NOW_S - 900 * (11 - seq), [reading(e_import_wh=10**6 + 1000 * seq * (epoch - 5))])
        for seq in numbers
    ]
    return SENDERS[sender].name, SENDERS[sender].frame(records, epoch)


def test_a_new_record_of_a_log_that_is_not_the_newest_is_said_to_be_so(tmp_path: Path) -> None:
    """P-173: the same terminal, whose logs take turns."""
    journal, terminal = Journal(tmp_path, VerifyConfig()), terminal_of(SENDERS[0], {1: POINT})
    back = []
    for epoch, number in ((7, 1), (8, 1), (7, 2), (7, 2), (8, 2), (9, 1), (8, 3), (9, 2)):
        _, data = sent(0, epoch, [number])
        back.append(journal.commit(batch_of([Accepted(terminal, data, NOW_S)])).epochs_back)
    journal.close()
    assert back == [[], [], [0], [], [], [], [0], []]
