"""An HJ 212 platform for the bench: takes uploads, acknowledges them, and misbehaves when it is told to.

As a process: `wattline hil platform --port 0 --journal FILE --control FILE` prints `{"port": N}` and then obeys the
JSON lines appended to the control file: `{"mode": "silent"}`, `{"mode": "late", "delay_ms": 3000}`, ... (see Mode), and
`{"send": {"cn": "1012", "mn": ..., "pw": ..., "cp": "SystemTime=..."}}`, a command to a station that is connected.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from gateway.hj212.answers import data_answer, notice_answer
from gateway.hj212.packet import CN_PATTERN, Packet, PacketError, Segment, build
from gateway.hj212.parse import Received, read_cp
from gateway.hj212.stream import Keys, Splitter, no_keys
from gateway.hj212.times import qn_of
from hil.control import follow
from hil.platform_ledger import Ledger, load
from hil.platform_rules import Rules, broken

MODES = ("normal", "silent", "refuse", "late", "double", "drop", "cut", "missing")
NOISES = ("garbage", "huge", "wrong_crc", "other_mn")
NOTICES = ("1013", "2012", "2022", "9015")  # HJ 212-2017 table 8, 2025: answered 9013 instead of 9014
CONTROL_POLL_S = 0.05  # how soon a line in the control file takes effect; real time, as a person would wait
ANSWERS = ("9011", "9012", "9013", "9014")
_READ_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Mode:
    """How the platform behaves.

    normal: keeps and answers. silent: takes bytes and answers nothing. refuse: takes no connection and ends those
    there are. late: answers after delay_ms. double: answers twice. drop: closes each connection at its
    after_packets-th packet instead of answering that one. cut: likewise, in the middle of the answer. missing: leaves
    every after_packets-th packet without an answer, or those of one cn, as a platform does that takes no log texts.
    keep: what is not answered (silent, drop, cut, missing) is kept all the same, as if only the answer had got lost.
    noise: what is sent before each answer: garbage, a huge length, a packet with a wrong check value, another
    station's command.
    """

    name: str = "normal"
    delay_ms: int = 0
    after_packets: int = 1
    keep: bool = False
    noise: str = ""
    cn: str = ""


def mode_of(row: object) -> Mode:
    """The mode that a control line asks for. ValueError says what is allowed."""
    if not isinstance(row, dict) or row.get("mode") not in MODES:
        raise ValueError(f"{row!r}: allowed {{'mode': one of {', '.join(MODES)}}}")
    unknown = set(row) - {"mode", "delay_ms", "after_packets", "keep", "noise", "cn"}
    delay_ms, after_packets, keep = row.get("delay_ms", 0), row.get("after_packets", 1), row.get("keep", False)
    noise, cn = row.get("noise", ""), row.get("cn", "")
    if noise not in {"", *NOISES}:
        raise ValueError(f"{row!r}: noise is one of {', '.join(NOISES)}")
    if unknown or type(delay_ms) is not int or type(after_packets) is not int or type(keep) is not bool:
        raise ValueError(f"{row!r}: besides mode, allowed are delay_ms and after_packets (integers), keep (bool)")
    if not isinstance(cn, str) or (cn and (row["mode"] != "missing" or not CN_PATTERN.fullmatch(cn))):
        raise ValueError(f"{row!r}: cn is four digits, of mode missing")
    if not 0 <= delay_ms <= 3_600_000 or after_packets < 1:
        raise ValueError(f"{row!r}: delay_ms 0..3600000, after_packets 1 or more")
    return Mode(row["mode"], delay_ms, after_packets, keep, noise, cn)


def wall_clock_ms() -> int:
    """The host's Unix milliseconds."""
    return time.time_ns() // 1_000_000


class Server(Protocol):
    """What listens."""

    def close(self) -> None: ...
    @property
    def sockets(self) -> Sequence[Any]: ...


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Listen = Callable[[Serve, str, int], Awaitable[Server]]


class Platform:
    """The emulator. `ledger` says what was taken in; with a journal it is also in that file, and found there again.

    listen: as `asyncio.start_server`; where it is another, no socket is used. rules: what it insists on. keys: with
    which stations encrypt. now_ms: Unix ms, for the journal's rows.
    """

    def __init__(
        self,
        journal: Path | None = None,
        listen: Listen = asyncio.start_server,
        rules: Rules | None = None,
        keys: Keys = no_keys,
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.mode = Mode()
        self._now_ms = now_ms
        self._rules = rules or Rules()
        self._keys = keys
        self._stations: dict[str, asyncio.StreamWriter] = {}  # by MN: where it was heard last
        self.ledger = load(journal) if journal else Ledger()
        self._journal = _open_at_line_start(journal) if journal else None
        self._listen = listen
        self._server: Server | None = None
        self._address = ("127.0.0.1", 0)
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[Any] | None] = {}

    @property
    def port(self) -> int:
        """The port, the same after `refuse` ends."""
        return self._address[1]

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        """Listens; port 0 takes one from the system."""
        self._server = await self._listen(self._serve, host, port)
        self._address = self._server.sockets[0].getsockname()[:2]

    async def set_mode(self, mode: Mode) -> None:
        """Changes the behaviour, at once and for connections that are open too."""
        refused = self.mode.name == "refuse"
        self.mode = mode
        if mode.name == "refuse" and not refused:
            await self._stop_listening()
        elif mode.name != "refuse" and refused:
            await self.start(self._address[1], self._address[0])

    def send(self, command: Segment) -> bool:
        """Sends a command to a station that is connected; False where none of this MN is. Raises PacketError."""
        writer = self._stations.get(command.mn)
        if writer is None or writer.is_closing():
            return False
        writer.write(build(command).data)
        return True

    async def close(self) -> None:
        """Ends everything and closes the journal."""
        await self._stop_listening()
        if self._journal:
            self._journal.close()

    async def _stop_listening(self) -> None:
        if self._server:
            self._server.close()
        tasks = [task for task in self._connections.values() if task]
        for writer in list(self._connections):
            writer.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections[writer] = asyncio.current_task()
        splitter = Splitter(self._keys)
        packets = 0
        try:
            # A connection may have been taken in the very moment in which `refuse` began: it ends here.
            while self.mode.name != "refuse" and (data := await reader.read(_READ_BYTES)):
                for received in splitter.feed(data):
                    packets += received.verdict == "ok"
                    if not await self._take(received, packets, writer):
                        return
        except ConnectionError:
            return  # the other side is gone: nothing is owed to it
        finally:
            await close_writer(writer)
            del self._connections[writer]

    async def _take(self, received: Received, number: int, writer: asyncio.StreamWriter) -> bool:
        """Deals with one packet; False when the connection is to be closed."""
        segment = received.segment
        if segment is None:
            self._write_row(self.ledger.damage(received.reason))
            return True
        self._stations[segment.mn] = writer
        self.ledger.counts.encrypted += received.encrypted
        if segment.cn in ANSWERS:
            self._write_row({"kind": "answer", **asdict(segment)})
            return True
        if reasons := broken(self._rules, received, self.ledger):
            self._write_row(self.ledger.refuse(segment, reasons))
            return True
        mode = self.mode
        ended = mode.name in {"drop", "cut"} and number >= mode.after_packets
        answered = mode.name != "silent" and not ended
        if mode.name == "missing":
            answered = segment.cn != mode.cn if mode.cn else number % mode.after_packets != 0
        if not segment.cn.startswith("9"):
            kept = answered or mode.keep
            self._write_row(self.ledger.accept(segment) if kept else self.ledger.lose(segment))
        if answered:
            await self._answer(segment, mode, writer)
        elif ended and mode.name == "cut" and (packet := answer_to(segment)):
            writer.write(packet.data[: len(packet.data) // 2])
            await writer.drain()
        return not ended

    async def _answer(self, segment: Segment, mode: Mode, writer: asyncio.StreamWriter) -> None:
        packet = answer_to(segment)
        if packet is None:
            return
        if mode.name == "late":
            asyncio.get_running_loop().call_later(mode.delay_ms / 1000, _write_if_open, writer, packet.data)
            return
        writer.write(_noise(mode.noise, segment) + packet.data * (2 if mode.name == "double" else 1))
        await writer.drain()

    def _write_row(self, row: dict[str, object]) -> None:
        if self._journal:
            self._journal.write(json.dumps({**row, "t_ms": self._now_ms()}, ensure_ascii=False) + "\n")
            self._journal.flush()


def _noise(kind: str, segment: Segment) -> bytes:
    """Bytes that no platform should send."""
    if kind == "garbage":
        return b"\x00##\xff#0099\r\n garbage"
    if kind == "huge":
        return b"##9999QN=" + segment.qn.encode() + b";ST=91;CN=9014;"
    command = Segment(segment.qn, segment.st, "1012", "123456", "F" * 24, segment.flag or 5, ((("SystemTime", "1"),),))
    if kind == "wrong_crc":
        packet = answer_to(segment)
        return packet.data[:-6] + b"FFFF\r\n" if packet else b""
    return build(command).data if kind == "other_mn" else b""


def command_of(row: object, now_ms: int) -> Segment:
    """The command that a control line asks for. ValueError says what is allowed."""
    if not isinstance(row, dict) or not {"cn", "mn", "pw"} <= set(row) <= {"cn", "mn", "pw", "st", "cp", "qn", "flag"}:
        raise ValueError(f"{row!r}: send takes cn, mn, pw, and if wanted st, cp, qn, flag")
    cp = read_cp(str(row.get("cp", "")), lambda *_: None)
    st, cn, pw, mn = (
        str(row.get(name) or otherwise) for name, otherwise in (("st", "32"), ("cn", ""), ("pw", ""), ("mn", ""))
    )
    return Segment(str(row.get("qn") or qn_of(now_ms)), st, cn, pw, mn, int(row.get("flag", 5)), cp)


def answer_to(segment: Segment) -> Packet | None:
    """The platform's answer to what a station sends; None when none is wanted, or its header is too long to repeat."""
    if not segment.wants_answer or segment.cn in ANSWERS:
        return None
    try:
        return notice_answer(segment) if segment.cn in NOTICES else data_answer(segment)
    except PacketError:
        return None


async def close_writer(writer: asyncio.StreamWriter) -> None:
    """Closes a connection whose other side may be gone already."""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def _write_if_open(writer: asyncio.StreamWriter, data: bytes) -> None:
    if not writer.is_closing():
        writer.write(data)


def _open_at_line_start(journal: Path) -> IO[str]:
    """Opens the journal to append. A last line cut short by a kill stays, with an end of its own."""
    cut = journal.exists() and journal.stat().st_size > 0 and not journal.read_bytes().endswith(b"\n")
    file = journal.open("a", encoding="utf-8")
    if cut:
        file.write("\n")
    return file


async def _obey_one(platform: Platform, row: object) -> None:
    if isinstance(row, dict) and set(row) == {"send"}:
        if not platform.send(command_of(row["send"], wall_clock_ms())):
            raise ValueError(f"{row!r}: no station of this MN is connected")
    else:
        await platform.set_mode(mode_of(row))


async def run(
    port: int, journal: Path | None, control: Path | None, rules: Rules | None = None, keys: Keys = no_keys
) -> None:
    """Runs the emulator until the task is cancelled."""
    platform = Platform(journal, rules=rules, keys=keys)
    await platform.start(port)
    sys.stdout.write(json.dumps({"port": platform.port}) + "\n")
    sys.stdout.flush()
    try:
        if control:
            await follow(control, CONTROL_POLL_S, lambda row: _obey_one(platform, row))
        await asyncio.Event().wait()
    finally:
        await platform.close()


def main() -> None:
    """The emulator as the bench starts it; `wattline hil platform` has more to choose from."""
    parser = argparse.ArgumentParser(prog="python -m hil.platform", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: take one from the system")
    parser.add_argument("--journal", type=Path, help="JSON lines of what was taken in; appended to")
    parser.add_argument("--control", type=Path, help="JSON lines that set the mode; followed while they are appended")
    given = parser.parse_args()
    try:
        asyncio.run(run(given.port, given.journal, given.control))
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")


if __name__ == "__main__":
    main()
