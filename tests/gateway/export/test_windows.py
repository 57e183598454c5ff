"""Windows as columns: what is read of the journal for them."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from cext.decoder import READING, Columns
from gateway.config import VerifyConfig
from gateway.export.windows import windows
from gateway.journal import blocks, index
from gateway.journal.journal import Journal
from gateway.journal.spans import Spans
from tests.gateway.support import NOW_S, Sender, accept, commit, reading, window

SENDERS = [Sender(f"T000{number}", bytes([number]) * 32) for number in range(1, 6)]
COUNT = 40


def filled(folder: Path, *, with_index: bool = True) -> None:
    """Each commit has a window of each terminal, as at a quarter of an hour; every third comes with the one before."""
    journal = Journal(folder, VerifyConfig())
    for seq in range(1, COUNT + 1):
        raws = [
            window(each, NOW_S - 900 * (COUNT + 1 - each), [reading(p_mean_w=4000 + each)]) for each in (seq - 1, seq)
        ]
        commit(journal, [accept(one, one.frame(raws if seq % 3 == 0 else raws[1:])) for one in SENDERS])
    if with_index:  # as the gateway does when 65,536 records have none
        opened = journal._open()
        index.write(opened.connection, opened.ledger, opened.next_id - 1)
    journal.close()


@pytest.mark.parametrize("with_index", [True, False])
@pytest.mark.parametrize(("first", "last"), [(1, COUNT), (11, 20)])
def test_each_block_is_read_once_and_no_other_terminals_frame_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int, last: int, *, with_index: bool
) -> None:
    """P-374: once more, all together, where the index has not come to them yet."""
    filled(tmp_path, with_index=with_index)
    decoded: list[blocks.Kept] = []
    columns_of = blocks.columns_of

    def counted(kept: Sequence[blocks.Kept], **how: bool) -> Columns:
        decoded.extend(kept)
        return columns_of(kept, **how)

    monkeypatch.setattr(blocks, "columns_of", counted)
    with closing(Spans(tmp_path)) as spans:
        read = list[str]()
        spans._connection.set_trace_callback(lambda text: read.append(text) if " frames FROM blocks" in text else None)
        from_s, to_s = NOW_S - 900 * (COUNT + 1 - first), NOW_S - 900 * (COUNT - last)
        found = [
            (one.terminal, one.entries[row].seq, one.columns.slots.p_mean_w[place])
            for one in windows(spans, ["T0003"], from_s, to_s)
            for place, row in enumerate(one.columns.slots.record.tolist())
            if row in one.entries and one.columns.slots.kind[place] == READING
        ]
        assert list(windows(spans, ["T0009"], from_s, to_s)) == []
    count = last + 1 - first
    assert sorted(found) == [("T0003", seq, 4000 + seq) for seq in range(first, last + 1)]
    assert {one.terminal for one in decoded} == {"T0003"}
    assert len([one for one in read if "LIMIT 1" in one]) == count
    assert len(decoded) == count + (0 if with_index else COUNT)


@pytest.mark.parametrize("with_index", [True, False])
def test_of_many_terminals_what_has_no_index_is_read_once(tmp_path: Path, *, with_index: bool) -> None:
    """P-368: and is what a look at each of them finds, also after more came."""
    filled(tmp_path, with_index=with_index)
    span = (NOW_S - 900 * (COUNT + 1), NOW_S + 900)
    read = list[str]()
    with closing(Spans(tmp_path, of_many=True)) as many:
        many._connection.set_trace_callback(lambda text: read.append(text) if "frames FROM blocks" in text else None)
        for later in range(2):
            read.clear()
            found = {one.name: many.windows(one.name, *span) for one in SENDERS}
            assert len(read) == (COUNT if later == 0 and not with_index else later)
            with closing(Spans(tmp_path)) as single:
                assert found == {one.name: single.windows(one.name, *span) for one in SENDERS}
            assert {len(one) for one in found.values()} == {COUNT + later}
            journal = Journal(tmp_path, VerifyConfig())
            commit(journal, [accept(one, one.frame([window(COUNT + 1, NOW_S)])) for one in SENDERS])
            journal.close()


def test_a_block_that_is_cut_short_is_said(tmp_path: Path) -> None:
    """P-374: not taken for one that has less."""
    filled(tmp_path)
    with closing(Spans(tmp_path)) as spans:
        (packed,) = spans._connection.execute("SELECT frames FROM blocks WHERE first = 1").fetchone()
    size = len(packed) // len(SENDERS)
    assert [kept.terminal for kept, _ in blocks.holding(packed, [1, 4])] == ["T0002", "T0005"]
    for cut in (1, blocks.HEAD.size - 1, size + 3):
        with pytest.raises(ValueError, match="block ends within a"):
            list(blocks.holding(packed[:cut], [4]))
