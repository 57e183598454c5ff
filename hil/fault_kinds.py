"""What can go wrong in a scenario: every kind of fault, what it does, what it is told, and where it can be played."""

import errno
from typing import NamedTuple

EVERYWHERE = frozenset({"sim", "unix"})
ON = ("point", "other", "every", "profile", "terminal", "by", "bytes")  # the keys of a fault that only some kinds take


class Kind(NamedTuple):
    """part: what it puts in and out: no two such faults of one part at once. needs, takes: of `ON`, the keys that must
    and may be given. targets: see hil/target.py.
    """

    text: str
    text_zh: str
    part: str = ""
    needs: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()
    targets: frozenset[str] = EVERYWHERE


_POINT = frozenset({"point"})
_EVERY = frozenset({"every"})
_TERMINAL = frozenset({"terminal"})

KINDS: dict[str, Kind] = {
    "broker_outage": Kind("a clean stop of the broker", "消息代理正常停止", "broker"),
    "broker_kill": Kind("kill -9 of the broker: what was only in its memory is gone", "消息代理被 kill -9", "broker"),
    "gateway_outage": Kind("a clean stop of the gateway", "网关正常停止", "gateway"),
    "gateway_kill": Kind(
        "kill -9 of the gateway, right after its first commit from then on", "网关被 kill -9", "gateway"
    ),
    "disk_full": Kind("the gateway's disk has no room", "网关磁盘已满", "disk"),
    "disk_failing": Kind("the gateway's disk answers every write and sync with an error", "网关磁盘故障", "disk"),
    "terminal_kill": Kind(
        "a power cut in the switchboard of `terminal`; without it: in all", "配电柜断电", "mains", takes=_TERMINAL
    ),
    "mains_flapping": Kind(
        "power comes and goes: off in the first half of each `every`", "市电反复断续", "mains", _EVERY, _TERMINAL
    ),
    "terminal_cloned": Kind(
        "`terminal`, a `clone_of` another one, wakes up with a copy of that one's flash, and stays",
        "终端被克隆",
        "mains",
        _TERMINAL,
    ),
    "rtc_moved": Kind(
        'the terminal\'s clock chip is moved `by` ("-26 h", "+90 min"), once; it is read at the next start',
        "终端时钟被篡改",
        "",
        frozenset({"by"}),
        _TERMINAL,
        frozenset({"sim"}),
    ),
    "link_down": Kind(
        "the terminal's network carries nothing, and nobody is told", "终端网络中断", "link", takes=_TERMINAL
    ),
    "link_flapping": Kind(
        "the terminal's network comes and goes: away in the first half of each `every`",
        "终端网络反复断续",
        "link",
        _EVERY,
        _TERMINAL,
    ),
    "link_cut": Kind(
        "at each `every` the terminal's connection breaks, and the next one after so many `bytes` of who connects",
        "连接反复在若干字节后中断",
        "cuts",
        frozenset({"every", "bytes"}),
        _TERMINAL,
    ),
    "slow_link": Kind(
        "the terminal's network is as slow as `profile` (hil/weather.py)",
        "终端网络变慢",
        "speed",
        frozenset({"profile"}),
        _TERMINAL,
    ),
    "replayed_frames": Kind(
        "a stranger publishes all that he has heard on the broker again, at each `every`", "重放截获的帧", "", _EVERY
    ),
    "replayed_acks": Kind(
        "a stranger sends all that he has heard on its way to terminals again, at each `every`", "重放确认", "", _EVERY
    ),
    "forged_frames": Kind(
        "a stranger publishes frames that he can't seal, and noise, at each `every`", "伪造的帧与噪声", "", _EVERY
    ),
    "platform_silent": Kind("the platform takes everything and answers nothing", "平台接收但不应答", "platform"),
    "meter_silent": Kind("`point`'s meter answers nothing; without `point`: no meter", "电表无应答", takes=_POINT),
    "meter_frozen": Kind("`point`'s meter answers, and shows the same for ever", "电表数值冻结", needs=_POINT),
    "meter_swapped": Kind(
        "`point`'s meter is taken off, and another one of its model is in its place at the end",
        "电表更换",
        needs=_POINT,
    ),
    "ct_removed": Kind("the current transformers of `point` are taken off", "互感器被拆除", needs=_POINT),
    "ct_reversed": Kind("the current transformers of `point` are turned round", "互感器接反", needs=_POINT),
    "ct_swapped": Kind(
        "the current transformers of `point` and `other` are exchanged", "两测点互感器互换", needs=_POINT | {"other"}
    ),
    "treatment_off": Kind("treatment stands still, production runs on", "治污停，生产继续"),
}

STRANGER = frozenset({"replayed_frames", "replayed_acks", "forged_frames"})
DISK = {"disk_full": errno.ENOSPC, "disk_failing": errno.EIO}  # with what it fails
LINK = frozenset({"link_down", "link_flapping", "link_cut", "slow_link"})  # of the way from the terminal to the broker
