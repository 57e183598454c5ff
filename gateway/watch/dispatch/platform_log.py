"""A regulator's platform as a channel: each change is a log text (HJ 212, CN 3020, 现场端信息) of one of its stations.

A station has one connection to its platform, which is the sink's. So texts are put into the sink's own file
(forward/log_texts.py); its thread sends them between the readings, and here it is waited for what became of them.
"""

import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

from gateway.clock import steady_s
from gateway.database import NewerSchemaError, StoreUnavailableError
from gateway.forward import log_texts, outbox
from gateway.forward.log_texts import ANSWERED, REFUSED, FullError, LogText, State, states, tell
from gateway.watch import linkage
from gateway.watch.dispatch import sender
from gateway.watch.dispatch.channels import AnyChannel, Hj212Entry
from gateway.watch.dispatch.message import TEST, WORDS, Document, Message
from gateway.watch.dispatch.sender import TIMEOUT_S, ChangesRefusedError, ChannelError
from gateway.watch.enterprises import Enterprise
from gateway.watch.words import facts_zh

LOOK_EVERY_S = 0.1  # a platform answers within some of these
NAME_CHARS_MAX = 60  # of an enterprise, of a linkage: a log text has 890 bytes, 3 a Chinese character
# Read by others with less care than by us (HJ 212-2017 6.3.3): what separates things in CP stands in no text.
_FULL_WIDTH = str.maketrans("&#/;,=", "＆＃／；，＝")


class PlatformLog:
    """A Sender. folder: the gateway's."""

    def __init__(self, entry: Hj212Entry, folder: Path, enterprises: Sequence[Enterprise]) -> None:
        self._name, self._sink, self._folder = entry.name, entry.sink, folder
        self._zone = timezone(timedelta(hours=entry.utc_offset_h))
        self._linkages = {(one.id, each.name): each for one in enterprises for each in one.linkages}

    def send(self, message: Message) -> None:
        """As Sender.send: confirmed is what the platform has answered (9014)."""
        texts = [self._text(one) for one in message.told]
        is_trial = message.told[0]["change"] == TEST  # it may come between a message's tries
        try:
            found = self._told("" if is_trial else self._name, texts)
        except (StoreUnavailableError, NewerSchemaError, FullError, sqlite3.Error) as error:
            raise ChannelError(sender.FAILING, str(error)) from error
        if not all(one.state in {ANSWERED, REFUSED} for one in found):
            raise ChannelError(sender.UNREACHABLE, f"sink {self._sink}: {self._why()}")
        refused = {text.id: one.reason for text, one in zip(texts, found, strict=True) if one.state == REFUSED}
        if refused:
            raise ChangesRefusedError(refused)

    def _told(self, channel: str, texts: Sequence[LogText]) -> list[State]:
        """What became of the texts by the end of the time that a channel has."""
        until_s = steady_s() + TIMEOUT_S
        with closing(outbox.writable(outbox.file_of(self._folder, self._sink))) as connection:
            tell(connection, channel, texts)
            while True:
                found = states(connection, [one.id for one in texts])
                if all(one.state in {ANSWERED, REFUSED} for one in found) or steady_s() >= until_s:
                    return found
                time.sleep(LOOK_EVERY_S)

    def _why(self) -> str:
        """What the sink says of itself."""
        found = outbox.status(self._folder, self._sink)
        why = ": ".join(str(found[name]) for name in ("state", "reason", "detail") if found.get(name))
        return f"{why}; the text waits there / 文本在上报队列中等待"

    def _text(self, told: Document) -> LogText:
        at = datetime.fromisoformat(told["at"])
        if told["change"] == TEST:
            return LogText(told["id"], None, int(at.timestamp()), _zh(WORDS[TEST]))
        alarm = told["alarm"]
        what = (_zh(WORDS[told["change"]]), alarm["enterprise_name"] or alarm["enterprise"], alarm["subject"])
        span = f"{self._local(alarm['from'])}至{self._local(alarm['to'])}"
        facts = f"，{facts_zh(alarm['facts'])}" if alarm["facts"] else ""
        head = "：".join(_safe(one)[:NAME_CHARS_MAX] for one in what if one)
        rest = _safe(f"{_zh(alarm['meaning'])}，{span}{facts}，报警编号 {alarm['number']}")
        return LogText(told["id"], self._terminals(alarm), int(at.timestamp()), f"{head}：{rest}")

    def _terminals(self, alarm: Document) -> list[str]:
        """Whose an alarm is: a linkage's its points' (production's first), else the terminal that its subject names."""
        if alarm["kind"] not in linkage.KINDS:
            return [alarm["subject"].partition("/")[0]]
        one = self._linkages.get((alarm["enterprise"], alarm["subject"]))
        return list(dict.fromkeys(point.terminal for point in (*one.production, *one.treatment))) if one else []

    def _local(self, text: str) -> str:
        return datetime.fromisoformat(text).astimezone(self._zone).strftime("%Y-%m-%d %H:%M")


def withdraw(folder: Path, platforms: Iterable[str], entries: Iterable[AnyChannel]) -> None:
    """What channels that are gone had platforms told, and was not answered, is told no more.

    Raises StoreUnavailableError, NewerSchemaError.
    """
    of_platforms = [one for one in entries if isinstance(one, Hj212Entry)]
    for sink in platforms:
        file = outbox.file_of(folder, sink)
        if file.exists():
            with closing(outbox.writable(file)) as connection:
                log_texts.withdraw(connection, [one.name for one in of_platforms if one.sink == sink])


def _zh(text: str) -> str:
    """Of "English / 中文"."""
    return text.rpartition(" / ")[2]


def _safe(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text).translate(_FULL_WIDTH)
