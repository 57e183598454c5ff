"""The real gateway with a sink of each kind on real servers, windows all the time, one abuse after another."""

import errno
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Self

from gateway.forward import outbox, refeeds
from gateway.journal.reader import Reader
from hil.abuse.blame import Finding, answers, blame, verdict_of
from hil.abuse.brokers import JetStream, Mqtt
from hil.abuse.hj212 import Hj212
from hil.abuse.load import EPOCH, POINTS, SECRET, TERMINALS, Load
from hil.abuse.plan import FOLDER, FULL, READ_ONLY, SERVER, Turn
from hil.abuse.report import Report, TurnReport
from hil.abuse.sink import Victim
from hil.abuse.tables import Database, Files
from hil.abuse.verdict import Account, Name, judge
from hil.bench import MOSQUITTO
from hil.broker import Broker
from hil.clock import ScaledClock
from hil.gateway import Gateway
from hil.oracle.evidence import Count

BURST = 120  # windows at once, unless told otherwise
BURST_S = 6.0
SETTLE_S = 180.0  # to have everything: pauses between tries grow to a minute, and the machine may be busy
LOOK_S = 0.05
SLOWER = 10
SLOW_CALL_MS = 50  # each call to a folder's disk; a file takes some ten of them, and 20 ms
# what its disk answers to a folder's sink
DISK = {"slowed": None, FULL: errno.ENOSPC, READ_ONLY: errno.EROFS}
_MARK = "SELECT record FROM marks WHERE at_ms <= ? ORDER BY at_ms DESC LIMIT 1"
QUEUED_MAX = 100_000  # frames that the broker keeps while the gateway is dead


class LateError(Exception):
    """Sinks that did not come back."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("; ".join(one.text for one in findings))
        self.findings = findings


def abuses() -> dict[str, tuple[str, ...]]:
    """What can befall each sink."""
    return {**dict.fromkeys(("hj212-2017", "hj212-2025", "postgres", "nats", "mqtt"), SERVER), "parquet": FOLDER}


class Campaign:
    """All parts in a folder; as a context manager it ends them whatever happens."""

    def __init__(self, folder: Path, seed: int, burst: int = BURST) -> None:
        """burst: windows at once; as many come by themselves in BURST_S."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder = folder = folder.resolve()
        self._seed = seed
        self._burst = burst
        self._stack = ExitStack()
        settings: dict[str, int | str] = {"max_queued_messages": QUEUED_MAX, "log_type": "none"}
        self._broker = self._stack.enter_context(Broker(MOSQUITTO, folder / "intake", settings))
        self.victims: dict[str, Victim] = {}
        for make in (
            lambda: Hj212(folder / "hj212-2017", 2017),
            lambda: Hj212(folder / "hj212-2025", 2025),
            lambda: Database(folder / "postgres"),
            lambda: JetStream(folder / "nats"),
            lambda: Mqtt(folder / "mqtt"),
            lambda: Files(folder / "parquet"),
        ):
            victim: Victim = make()
            self._stack.callback(victim.close)
            self.victims[victim.name] = victim
        self._told_again: dict[str, Counter[Name]] = {name: Counter() for name in self.victims}
        self._slow_bytes_per_s: dict[str, int] = {}
        self._findings: list[Finding] = []
        self._turns: list[TurnReport] = []

    def start(self) -> None:
        """Everything, and the load."""
        self._broker.start()
        for victim in self.victims.values():
            victim.start()
        config = self._write_config()
        (disk,) = (one.disk for one in self.victims.values() if one.disk is not None)
        self._gateway = self._stack.enter_context(Gateway(config, ScaledClock(0, 0, 1), more=disk.env()))
        self._gateway.start()
        self._gateway.wait_until_ready()
        self._load = Load(self._broker.port, int(time.time()), BURST_S / self._burst)
        self._stack.callback(self._load.stop)
        self._load.start()

    def play(self, turns: Sequence[Turn], tell: Callable[[str], None]) -> Report:
        """One after another; then the account of each sink. Where one does not come back, that ends it."""
        began_s = time.monotonic()
        try:
            self._load.burst(self._burst)
            self._come_back(self.victims)
            for number, turn in enumerate(turns, start=1):
                dies = " and the gateway dies" if turn.gateway_dies else ""
                tell(f"{number} of {len(turns)}: {turn.sink} {turn.abuse}{dies}")
                self._turn(turn)
            self._load.stop()
            self._come_back(self.victims)
        except LateError as late:
            self._findings += late.findings
            self._load.stop()
        windows, sinks = self._windows(), {name: self._account(one) for name, one in self.victims.items()}
        self._gateway.stop()
        self._findings += [
            Finding("product", f"{name}: {text}") for name, one in sinks.items() for text in one.findings
        ]
        is_whole = not (windows.lost or windows.duplicated or windows.invented)
        verdict = verdict_of(self._findings, is_clean=is_whole and all(one.is_clean for one in sinks.values()))
        seconds = round(time.monotonic() - began_s, 1)
        return Report("sinks", self._seed, "unix", windows, sinks, self._turns, verdict, self._findings, seconds)

    def _turn(self, turn: Turn) -> None:
        victim = self.victims[turn.sink]
        kept_ms = time.time_ns() // 1_000_000
        if turn.abuse == "put_back":
            self._keep(victim)
        if turn.abuse == "slowed":
            self._measure(victim)
        self._load.burst(self._burst)
        time.sleep(turn.delay_s)
        self._begin(victim, turn.abuse)
        if turn.gateway_dies:
            self._gateway.kill()
            self._gateway.start()
        self._load.burst(self._burst)
        target, began_s = self._load.published, time.monotonic()
        others = [name for name in self.victims if name != victim.name]
        late = self._wait(others, target)
        others_s, felt = time.monotonic() - began_s, self._settled(victim.name) < target
        self._findings += self._blamed(late, f"waited for {victim.name}, which was {turn.abuse}")
        if turn.abuse in {FULL, READ_ONLY} and not self._says(victim, turn.abuse):
            text = f"{victim.name} was {turn.abuse}, and its status did not say so"
            self._findings.append(Finding("product", text))
        self._end(victim, turn.abuse, kept_ms)
        began_s = time.monotonic()
        self._come_back(self.victims)
        back_s = time.monotonic() - began_s
        self._turns.append(
            TurnReport(turn.sink, turn.abuse, turn.gateway_dies, felt, round(others_s, 2), round(back_s, 2))
        )

    def _says(self, victim: Victim, reason: str) -> bool:
        """Whether the sink's status comes to name this reason."""
        deadline_s = time.monotonic() + SETTLE_S
        while outbox.status(self._gateway.data, victim.name).get("reason") != reason:
            if time.monotonic() > deadline_s:
                return False
            time.sleep(LOOK_S)
        return True

    def _begin(self, victim: Victim, abuse: str) -> None:
        if abuse in {"killed", "put_back"}:
            victim.kill()
        elif abuse == "restarted":
            victim.stop()
        elif abuse == "slowed" and victim.link is not None:
            victim.link.set(bytes_per_s=self._slow_bytes_per_s[victim.name])
        elif victim.disk is not None and abuse in DISK:
            victim.disk.slow(SLOW_CALL_MS if abuse == "slowed" else None)
            victim.disk.fail(DISK[abuse])
        elif abuse == "fed_twice":
            self._refeed(victim, 0)

    def _end(self, victim: Victim, abuse: str, kept_ms: int) -> None:
        if abuse == "slowed" and victim.link is not None:
            victim.link.set()
        if victim.disk is not None:
            victim.disk.slow(None)
            victim.disk.fail(None)
        if abuse == "put_back":
            victim.put_back(self._kept(victim))
        if abuse in {"killed", "put_back", "restarted"}:
            victim.start()
        if (abuse == "put_back" and not victim.sees_put_back) or (abuse == "killed" and victim.forgets):
            self._refeed(victim, kept_ms)

    def _kept(self, victim: Victim) -> Path:
        return self.folder / f"{victim.name}-kept"

    def _keep(self, victim: Victim) -> None:
        """A copy of its state, and something behind it that it will forget."""
        kept = self._kept(victim)
        shutil.rmtree(kept, ignore_errors=True)
        victim.stop()
        victim.keep(kept)
        victim.start()
        self._load.burst(self._burst)
        self._come_back([victim.name])

    def _measure(self, victim: Victim) -> None:
        """How many bytes a second it takes undisturbed; a tenth of that is slow."""
        if victim.link is None or victim.name in self._slow_bytes_per_s:
            return
        victim.link.cut()
        self._load.burst(len(TERMINALS))
        self._come_back([victim.name])
        before = len(victim.link.ended())
        began_s = time.monotonic()
        self._load.burst(self._burst)
        self._come_back([victim.name])
        seconds = time.monotonic() - began_s
        victim.link.cut()
        deadline_s = time.monotonic() + SETTLE_S
        while len(victim.link.ended()) == before and time.monotonic() < deadline_s:
            time.sleep(LOOK_S)
        passed = sum(int(row["up"]) for row in victim.link.ended()[before:])
        self._slow_bytes_per_s[victim.name] = max(1, int(passed / seconds / SLOWER))

    def _refeed(self, victim: Victim, from_ms: int) -> None:
        """Have it told again what it took since; of these records alone it may hold another copy."""
        with closing(Reader(self._gateway.data)) as reader:
            ordered = refeeds.order_refeed(self._gateway.data, victim.name, from_ms, reader.last_id())
            first = self._mark(victim.name, from_ms) + 1
            again = {(one.terminal, one.seq) for one in reader.records_after(first - 1, ordered.records)}
        windows = [one for one in self._load.made() if (one.terminal, one.seq) in again]
        for name in victim.expected(windows):
            self._told_again[victim.name][name] += victim.copies_of_refeed

    def _mark(self, sink: str, at_ms: int) -> int:
        """The last record that a sink had safe at an instant, by its own notes."""
        with closing(
            sqlite3.connect(f"file:{outbox.file_of(self._gateway.data, sink)}?mode=ro", uri=True)
        ) as connection:
            row = connection.execute(_MARK, (at_ms,)).fetchone()
        return int(row[0]) if row else 0

    def _settled(self, name: str) -> int:
        return outbox.settled(self._gateway.data, name)[0]

    def _wait(self, names: Sequence[str], record: int) -> list[str]:
        """Until these have everything up to the record; those that did not in SETTLE_S."""
        deadline_s = time.monotonic() + SETTLE_S
        left = list(names)
        while left and time.monotonic() < deadline_s:
            left = [name for name in left if self._settled(name) < record]
            if left:
                time.sleep(LOOK_S)
        return left

    def _come_back(self, names: Sequence[str] | dict[str, Victim]) -> None:
        """Everything published so far is in these. Raises LateError where it does not come."""
        late = self._wait(list(names), self._load.published)
        if late:
            raise LateError(self._blamed(late, f"did not get everything within {SETTLE_S:g} s; see {self.folder}"))

    def _blamed(self, names: Sequence[str], text: str) -> list[Finding]:
        """What is wrong with these sinks, each with whose fault it is."""
        found = []
        for name in names:
            victim = self.victims[name]
            link_answers = victim.link is None or answers(victim.link.port)
            whose = blame(server_answers=answers(victim.port), link_answers=link_answers)
            found.append(Finding(whose, f"{name} {text}"))
        return found

    def _windows(self) -> Count:
        """What of the published windows is in the journal."""
        with closing(Reader(self._gateway.data)) as reader:
            records = reader.records_after(0, self._load.published + 1)
        times = Counter((one.terminal, one.seq) for one in records if one.epoch == EPOCH)
        made = {(one.terminal, one.seq) for one in self._load.made()}
        twice = sum(count - 1 for count in times.values())
        return Count(len(made), len(times.keys() & made), len(made - times.keys()), twice, len(times.keys() - made))

    def _account(self, victim: Victim) -> Account:
        """Of one sink; one that reads behind a broker gets the time to."""
        deadline_s = time.monotonic() + SETTLE_S
        while True:
            found = judge(victim.expected(self._load.made()), victim.held(), self._told_again[victim.name])
            if not (found.lost and victim.forgets) or time.monotonic() > deadline_s:
                return found
            time.sleep(1)

    def _write_config(self) -> Path:
        folder = self.folder / "gateway"
        folder.mkdir()
        key = folder / "terminals.key"
        key.touch(mode=0o600)
        key.write_text(SECRET.hex(), encoding="utf-8")
        points = ", ".join(
            f'{{number = {number}, name = "p{number}", kind = "production", rated_power_w = 10000}}'
            for number in range(1, POINTS + 1)
        )
        entries = "".join(
            f'[[terminal]]\nid = "{name}"\nkeys = [{{generation = 1, file = "{key.name}"}}]\npoints = [{points}]\n'
            for name in TERMINALS
        )
        (folder / "terminals.toml").write_text(entries, encoding="utf-8")
        config = folder / "gateway.toml"
        text = 'data_dir = "data"\nterminals = "terminals.toml"\n[metrics]\nport = 0\n'
        text += f'[mqtt]\nhost = "127.0.0.1"\nport = {self._broker.port}\nreconnect_max_s = 1\n'
        text += "".join(victim.section() for victim in self.victims.values())
        config.write_text(text, encoding="utf-8")
        return config

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
