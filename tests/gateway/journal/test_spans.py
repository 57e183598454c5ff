"""Looking back: days of the index that are passed over change no answer."""

import random
from pathlib import Path

import pytest

from gateway.config import VerifyConfig
from gateway.journal import index
from gateway.journal.journal import Journal
from gateway.journal.reader import Reader
from gateway.journal.retention import Rule
from gateway.journal.spans import Spans
from protocol.record import WINDOW
from tests.gateway.support import NOW_S, Sender, accept, commit, event, window

DAY_S = 86400


@pytest.mark.parametrize("seed", range(4))
def test_what_days_are_passed_over_changes_no_answer(tmp_path: Path, seed: int) -> None:
    """P-106: days in any order, late ones, without a time, of two epochs, sent again, retired, not indexed yet."""
    chance, journal = random.Random(seed), Journal(tmp_path, VerifyConfig())
    sent: dict[str, list[bytes]] = {}
    senders = [Sender("A"), Sender("B", b"b" * 32)]
    for number in range(60):
        sender = chance.choice(senders)
        day = chance.choice([number // 6, number // 6, chance.randrange(12)])
        start_s = None if chance.random() < 0.1 else NOW_S - 30 * DAY_S + day * DAY_S + 900 * chance.randrange(96)
        raws = [window(number + 1, start_s, boot=1 + chance.randrange(2), end_uptime_s=900 * (number + 1))]
        again = chance.choice([[], sent.get(sender.name, [])])  # what came before, and came once more
        sent[sender.name], epoch = raws, 7 + number // 30
        frames = [sender.frame(again + raws, epoch), senders[0].frame([event(100 + number, NOW_S)], epoch)]
        commit(journal, [accept(sender, frames[0], now_s=NOW_S + number), accept(senders[0], frames[1], now_s=NOW_S)])
        if chance.random() < 0.3:
            opened = journal._open()
            index.write(opened.connection, opened.ledger, opened.next_id - 1)
        if number == 40:
            journal.retire(Rule((NOW_S + 10) * 1000, None), {})
    spans, many = Spans(tmp_path), Spans(tmp_path, of_many=True)
    stored = Reader(tmp_path).records_after(0, 1000)
    for name, row in spans.terminals().items():
        own = [one for one in stored if one.terminal == name]
        for since in (0, 1, 20, 45, 59, 61):
            expected = sorted((one.epoch, one.seq) for one in own if one.id >= since)
            assert [(one.epoch, one.seq) for one in spans.log(row, since)] == expected
        for count in (0, 1, 5, 12, 100):
            assert [one.id for _, one in spans.newest(count, name)] == [one.id for one in own][
                len(own) - min(count, len(own)) :
            ]
        places = {one.id: one.start_s for _, one in Reader(tmp_path).placements_after(0, 1000)}
        times = [time for one in own if (time := places.get(one.id, one.start_s)) is not None]
        for time_s in (min(times), min(times) + 1, max(times) + DAY_S, 0):
            assert spans.knows_time_before(row, time_s) == any(one < time_s for one in times)
        for from_s, to_s in ((0, NOW_S), *((first, first + chance.choice([900, 2 * DAY_S])) for first in times)):
            wanted = [
                each
                for each in spans.log(row)
                if each.type == WINDOW and each.start_s is not None and from_s <= each.start_s < to_s
            ]
            assert spans.windows(name, from_s, to_s) == many.windows(name, from_s, to_s) == wanted
    kept = {row[0] for row in spans._connection.execute("SELECT DISTINCT day FROM runs")}
    assert {day for day, _ in index.days(spans._connection)} == kept
    spans.close()
    many.close()
    journal.close()
