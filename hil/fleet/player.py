"""Plays a province against a broker and a gateway: every terminal with a connection, a key and frames of its own."""

import os
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from hil.benchmarks.crowd.stand import Admitted, Stand, stand
from hil.benchmarks.crowd.terminal import Crowd, Terminal
from hil.fleet.plan import Prepared, Province, prepare
from hil.fleet.verdict import Verdict, judge
from hil.process import BenchError

FLIGHTS_MOST = 8  # frames of a terminal without an ack
LIMIT_S = 1800.0  # the largest province's day takes some minutes here
SPARE_FILES = 200  # of this process beside its connections, and of the broker
TURN_S = 0.05

Watch = Callable[[float, str], None]  # share of what is to be done, what is done


class Fleet(msgspec.Struct):
    """What a run reports. Latencies are from a frame's first publish to its ack; newest: of newest windows alone."""

    province: str
    terminals: int
    points: int
    windows: int
    frames: int
    seed: int
    connected_s: float  # until all were connected
    seconds: float  # from the first publish to the last ack
    frames_per_s: int
    windows_per_s: int
    readings_per_s: int
    ack_s: dict[str, float]
    newest_ack_s: dict[str, float]
    gateway_cpu_s: float
    gateway_rss_mib: float  # the most that it had
    player_cpu_s: float  # of this process: what the load itself costs on the same cores
    cores: int
    verdict: str
    windows_found: Verdict


@dataclass
class _Played:
    connected_s: float
    seconds: float
    ack_s: list[float]
    newest_s: list[float]
    cpu_s: float


def play(province: Province, watch: Watch) -> Fleet:
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
        played = _play(pair, fleet, watch)
        cpu_s, rss_mib = pair.cpu_s() - cpu_s, pair.rss_mib(peak=True)
        watch(1.0, "judging / 判定")
        found = judge(pair.data / "journal.sqlite3", fleet)
    frames = sum(len(one.frames) for one in fleet)
    return Fleet(
        province.name,
        province.terminals,
        province.points,
        found.expected,
        frames,
        province.seed,
        round(played.connected_s, 2),
        round(played.seconds, 3),
        round(frames / played.seconds),
        round(found.expected / played.seconds),
        round(province.points * province.windows / played.seconds),
        _shares(played.ack_s),
        _shares(played.newest_s),
        round(cpu_s, 2),
        round(rss_mib, 1),
        round(played.cpu_s, 2),
        len(os.sched_getaffinity(0)),
        "pass" if found.passed else "fail",
        found,
    )


def _play(pair: Stand, fleet: Sequence[Prepared], watch: Watch) -> _Played:
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
    return _Played(connected_s - began_s, ended_s - connected_s, ack_s, newest_s, cpu_s)


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


def _shares(values: Sequence[float]) -> dict[str, float]:
    """The values that half, 95 %, 99 % and all of them are not above."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return {name: round(ordered[int(last * share)], 3) for name, share in _SHARES.items()}


_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
