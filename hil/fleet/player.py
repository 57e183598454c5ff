"""Plays a province against a broker and a gateway: every terminal with a connection, a key and frames of its own."""

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hil.benchmarks.crowd.stand import Stand, stand
from hil.benchmarks.crowd.terminal import Crowd, Terminal
from hil.benchmarks.deployed import Admitted
from hil.fleet.plan import Prepared, Province, prepare
from hil.fleet.verdict import Verdict, judge
from hil.process import BenchError

FLIGHTS_MOST = 8  # frames of a terminal without an ack
LIMIT_S = 1800.0  # the largest province's day takes some minutes here
SPARE_FILES = 200  # of this process beside its connections, and of the broker
TURN_S = 0.05

Watch = Callable[[float, str], None]  # share of what is to be done, what is done


@dataclass
class Measured:
    """s. connected: until all were; seconds: from the first publish to the last ack; ack, newest: of each frame, and of
    the newest windows' alone, from its first publish to its ack; cpu: of this process, in those seconds.
    """

    connected_s: float
    seconds: float
    ack_s: list[float]
    newest_s: list[float]
    cpu_s: float


@dataclass
class Played:
    """A run. gateway_rss_mib: the most that it had."""

    frames: int
    measured: Measured
    gateway_cpu_s: float
    gateway_rss_mib: float
    verdict: Verdict


def play(province: Province, watch: Watch) -> Played:
    """Prepare, play and judge. Raises BenchError."""
    _raise_limit(province)
    fleet = []
    for one in prepare(province, int(time.time())):
        fleet.append(one)
        watch(len(fleet) / province.terminals, "sealing frames / 准备数据帧")
    admitted = [Admitted(one.name, one.secret, one.points) for one in fleet]
    watch(0.0, "starting broker and gateway / 启动代理与网关")
    with stand(admitted) as pair:
        cpu_s = pair.cpu_s()
        measured = _play(pair, fleet, watch)
        cpu_s, rss_mib = pair.cpu_s() - cpu_s, pair.rss_mib(peak=True)
        watch(1.0, "judging / 判定")
        verdict = judge(pair.data / "journal.sqlite3", fleet)
    return Played(sum(len(one.frames) for one in fleet), measured, cpu_s, rss_mib, verdict)


def _play(pair: Stand, fleet: Sequence[Prepared], watch: Watch) -> Measured:
    began_s = time.monotonic()
    terminals = []
    for one in fleet:
        terminals.append(_connected(pair.port, one))
        watch(len(terminals) / len(fleet), "connecting / 连接")
    crowd = Crowd(terminals)
    connected_s, cpu_s = time.monotonic(), time.process_time()
    crowd.start(())
    total, acked = sum(len(one.frames) for one in fleet), 0
    while acked < total:
        acked += crowd.turn((), TURN_S)
        now_s = time.monotonic()
        crowd.again((), now_s)
        watch(acked / total, "acknowledged / 已确认")
        if now_s > connected_s + LIMIT_S:
            raise BenchError(f"{acked} of {total} frames acknowledged after {LIMIT_S:g} s / 超时")
    ended_s, cpu_s = time.monotonic(), time.process_time() - cpu_s
    crowd.close()
    ack_s = [at_s - one.sent_s[numbers] for one in terminals for numbers, at_s in one.acked_s.items()]
    newest = [next(iter(one.frames)) for one in fleet]
    newest_s = [one.acked_s[key] - one.sent_s[key] for one, key in zip(terminals, newest, strict=True)]
    return Measured(connected_s - began_s, ended_s - connected_s, ack_s, newest_s, cpu_s)


def _connected(port: int, prepared: Prepared) -> Terminal:
    terminal = Terminal(port, prepared.name, FLIGHTS_MOST, prepared.secret)
    terminal.prepared = prepared.frames
    newest, *backlog = prepared.frames
    terminal.live.append(newest)
    terminal.backlog.extend(backlog)
    return terminal


def _raise_limit(province: Province) -> None:
    """Each terminal is an open file, here and in the broker. Raises BenchError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = province.terminals + SPARE_FILES
    if wanted > soft:  # what is started afterwards has the same bound
        if hard != resource.RLIM_INFINITY and wanted > hard:
            raise BenchError(f"{wanted} open files are needed, {hard} allowed: raise `ulimit -Hn` / 打开文件数上限不足")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
