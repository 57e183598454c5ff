"""Two terminals of one name, of which one is a copy: whose a record is, by the start in which it was made."""

from collections.abc import Sequence
from dataclasses import replace

from hil.oracle.evidence import Journal, Life


def made_by(journal: Journal, own: Sequence[Life], others: Sequence[Life]) -> Journal:
    """Without the records that were made in starts that only the others had. What both may have made is in it."""
    foreign = {life.boot for life in others} - {life.boot for life in own} - {None}
    if not foreign:
        return journal
    theirs = {(one.epoch, one.seq, one.raw) for one in journal.kept if one.body.boot in foreign}
    kept = [one for one in journal.kept if (one.epoch, one.seq, one.raw) not in theirs]
    return replace(journal, kept=kept, rows=[row for row in journal.rows if row not in theirs])
