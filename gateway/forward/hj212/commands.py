"""What a platform's command leads to (HJ 212-2017 6.6, 2025): time, intervals, history, password, key, start and stop.

Nothing that a platform says changes the gateway's clock or what terminals do: HJ 212 proves nothing about who sends it.
A time is compared and answered; the interval is the quarter of an hour of the windows.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from gateway.clock import Clock
from gateway.forward.hj212.history import History, Question
from gateway.forward.hj212.mapping import INSTANT, PERIOD, STATE, Station
from gateway.forward.hj212.memory import OVER_TIME, RE_COUNT, Memory
from gateway.forward.hj212.periods import LENGTHS_S
from gateway.forward.hj212.session import Reaction
from gateway.hj212 import answers, words
from gateway.hj212.answers import (
    EXE_CONDITION,
    EXE_DONE,
    EXE_FAULT,
    EXE_NO_DATA,
    QN_CN_WRONG,
    QN_MN_WRONG,
    QN_PW_WRONG,
    QN_READY,
)
from gateway.hj212.packet import MN_PATTERN, PW_PATTERN, Item, Packet, Segment, build, flag_of
from gateway.hj212.times import data_time, unix_s_of
from protocol.limits import WINDOW_S

CLOCK_APART_S = 60  # what a platform may be off ours: 5.1 of the field's rules asks for a minute a day
HISTORY_DAYS_MAX = 31  # of one question: some 9,000 packets; more is several questions


class Commands:
    """Answers for all stations of one sink. new_qn: the next QN; history: out of the journal; restart: begin anew."""

    def __init__(
        self,
        memory: Memory,
        clock: Clock,
        new_qn: Callable[[], str],
        history: Callable[[Question], History],
        configure: Callable[[], None],
        restart: Callable[[], None],
    ) -> None:
        self._memory = memory
        self._clock = clock
        self._new_qn = new_qn
        self._history = history
        self._configure = configure
        self._restart = restart
        self.clock_off_s = 0  # the platform's clock against ours when it last told us
        self._handlers: dict[str, Callable[[Station, Segment], Reaction]] = {
            "1000": self._times,
            "1001": self._hardware,
            "1002": self._assign_mn,
            "1011": lambda station, command: self._tell(station, command, self._now_item()),
            "1012": self._set_time,
            "1014": self._key,
            "1061": lambda station, command: self._tell(station, command, (("RtdInterval", str(WINDOW_S)),)),
            "1062": lambda _, command: _done(command, is_right=command.value("RtdInterval") == str(WINDOW_S)),
            "1063": lambda station, command: self._tell(station, command, (("MinInterval", str(WINDOW_S // 60)),)),
            "1064": lambda _, command: _done(command, is_right=command.value("MinInterval") == str(WINDOW_S // 60)),
            "1072": self._password,
            INSTANT: self._start_or_history,
            PERIOD: self._start_or_history,
            STATE: self._start_or_history,
            **dict.fromkeys(LENGTHS_S, self._tell_history),
            "2012": lambda station, command: self._stop(station, command, INSTANT),
            "2022": lambda station, command: self._stop(station, command, STATE),
        }

    def answer(self, command: Segment) -> Reaction | None:
        """The reaction; None where no answer is wanted. Raises PacketError where its header can't be repeated."""
        station = self._memory.station(command.mn)
        if station is None:
            return _stranger(command, QN_MN_WRONG, "is for another MN / 的 MN 不是本系统的")
        if command.pw != station.pw:
            return _stranger(command, QN_PW_WRONG, "has another password / 的口令不符")
        handler = self._handlers.get(command.cn)
        if handler is None:
            known = command.cn in words.COMMANDS
            return _refusal(command, answers.QN_REFUSED if known else QN_CN_WRONG) if command.wants_answer else None
        reaction = handler(station, command)
        return reaction if command.wants_answer or reaction.packets is not None else None

    def _now_item(self) -> Item:
        return (("SystemTime", data_time(self._clock.now_ms() // 1000)),)

    def _packet(self, station: Station, cn: str, *items: Item) -> Packet:
        """What the platform asked for: under a QN of its own, without an answer."""
        flag = flag_of(self._memory.mapping.edition)
        return build(Segment(self._new_qn(), station.st, cn, station.pw, station.mn, flag, items))

    def _tell(self, station: Station, command: Segment, *items: Item) -> Reaction:
        ready = answers.request_answer(command, QN_READY)
        told = self._packet(station, command.cn, *items)
        return Reaction([ready, told, answers.result(command, EXE_DONE)])

    def _times(self, _station: Station, command: Segment) -> Reaction:
        over_time, re_count = (_number(command.value(name), 99) for name in ("OverTime", "ReCount"))
        if over_time is None or re_count is None:
            return _done(command, is_right=False)
        self._memory.remember({OVER_TIME: str(over_time), RE_COUNT: str(re_count)})
        self._configure()
        return _done(command, is_right=True)

    def _set_time(self, _station: Station, command: Segment) -> Reaction:
        """Our clock is not a platform's to set: done where it is right already, else a condition that is not met."""
        told_s = unix_s_of(command.value("SystemTime") or "")
        if told_s is None:
            return _done(command, is_right=False)
        self.clock_off_s = told_s - self._clock.now_ms() // 1000
        return _done(command, is_right=abs(self.clock_off_s) <= CLOCK_APART_S)

    def _password(self, station: Station, command: Segment) -> Reaction:
        new = command.value("NewPW") or ""
        if not PW_PATTERN.fullmatch(new):
            return _done(command, is_right=False)
        self._memory.set_password(station, new)
        return _done(command, is_right=True)

    def _key(self, station: Station, command: Segment) -> Reaction:
        """CN 1014: with NewSK the new key, from the next packet on; without, which one is in use, and since when."""
        new = command.value("NewSK")
        if self._memory.mapping.sm4 is None or station.key is None:
            return _refusal(command, answers.QN_REFUSED)
        if new is None:
            made = self._memory.key_made(station) or data_time(0)
            items: list[Item] = [(("SKCreateTime", made),), (("NewSK", station.key.decode("ascii")),)]
            return self._tell(station, command, *items)
        if len(new) != len(station.key) or not new.isascii() or not new.isprintable():
            return _done(command, is_right=False)
        self._memory.set_key(station, new.encode("ascii"), command.value("SKCreateTime") or "")
        return _done(command, is_right=True)

    def _hardware(self, station: Station, command: Segment) -> Reaction:
        items: list[Item] = [((f"{name}-Info", value),) for name, value in station.hardware]
        return self._tell(station, command, *items) if items else _refusal(command, answers.QN_REFUSED)

    def _assign_mn(self, station: Station, command: Segment) -> Reaction:
        """CN 1002: the platform gives the station its MN. What is under way keeps the old one."""
        new = command.value("i23005-Info") or ""
        if not MN_PATTERN.fullmatch(new) or (self._memory.station(new) or station).mn != station.mn:
            return _done(command, is_right=False)
        self._memory.set_mn(station, new)
        self._restart()
        return _done(command, is_right=True)

    def _start_or_history(self, station: Station, command: Segment) -> Reaction:
        if command.value("BeginTime") is None and command.value("EndTime") is None:
            self._memory.stop(station, command.cn, stopped=False)
            return _done(command, is_right=True)
        return self._tell_history(station, command)

    def _tell_history(self, station: Station, command: Segment) -> Reaction:
        from_s, to_s = (unix_s_of(command.value(name) or "") for name in ("BeginTime", "EndTime"))
        if from_s is None or to_s is None or not 0 <= to_s - from_s <= HISTORY_DAYS_MAX * 86400:
            return _done(command, is_right=False)
        told = self._history(Question(station, command.cn, from_s, to_s))
        first = next(told, None)
        ready = answers.request_answer(command, QN_READY)
        if first is None:
            return Reaction([ready, answers.result(command, EXE_FAULT if told.is_broken else EXE_NO_DATA)])
        return Reaction(
            [ready], chain([first], told), lambda: answers.result(command, EXE_FAULT if told.is_broken else EXE_DONE)
        )

    def _stop(self, station: Station, command: Segment, cn: str) -> Reaction:
        self._memory.stop(station, cn, stopped=True)
        return Reaction([answers.notice_answer(command)])


def _done(command: Segment, *, is_right: bool) -> Reaction:
    result = answers.result(command, EXE_DONE if is_right else EXE_CONDITION)
    return Reaction([answers.request_answer(command, QN_READY), result], refused=not is_right)


def _refusal(command: Segment, why: int) -> Reaction:
    return Reaction([answers.request_answer(command, why)], refused=True)


def _stranger(command: Segment, why: int, text: str) -> Reaction:
    """Somebody who is not the platform, or a platform that takes us for somebody else."""
    replies = [answers.request_answer(command, why)] if command.wants_answer else []
    return Reaction(replies, refused=True, trouble=f"command {command.cn} {text}")


def _number(text: str | None, most: int) -> int | None:
    """1..most, or None."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 3):
        return None
    return int(text) if 1 <= int(text) <= most else None
