"""What a terminal's facts say: a finding for each thing that one looks at, with an advice where something is wrong.

Pure: facts and records in, findings out. Texts are in both languages. No secret is in the facts, so none is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from firmware.field.outcome import Finding, Outcome
from protocol import record
from protocol.host.event_names import EVENT_NAMES

WEAR_ERASES = 100_000  # a NOR flash's rating, data sheets of W25Q64 and GD25Q64
_ERASES_A_RECORD = 1.06  # measured on the VM: LittleFS's copy of the last block at each commit
_BLOCK_BYTES = 4096
_CLOCK_OFF_S = 120  # beyond what a laptop's own clock is off
_ACK_LATE_S = 3600  # four windows
_DAY_RECORDS = 96
_ROOM_LEAST = 0.05
_HEALTH_NAMES = EVENT_NAMES[record.HEALTH][1]
_WATCHDOG, _MEMORY, _WEDGED = 2, 16, 17  # causes of BOOT: boards.base, terminal.supervisor

Facts = dict[str, Any]
Records = Sequence[record.Record]


def judge(facts: Facts, records: Records, now_s: int) -> Outcome:
    """The whole page. now_s: Unix seconds of the laptop."""
    findings = (
        *_provisioning(facts),
        *_clock(facts, now_s),
        *_log(facts),
        *_acks(facts, records, now_s),
        *_flash(facts),
        *_starts(records),
        *_meters(records),
        *_health(records),
    )
    is_well = not any(one.advice_en for one in findings)
    return Outcome("doctor", "passed" if is_well else "failed", findings, {"facts": facts})


def _provisioning(facts: Facts) -> Iterator[Finding]:
    if "refused" in facts:
        yield Finding(
            "refused",
            f"the terminal can't begin: {facts['refused']}",
            f"终端无法启动：{facts['refused']}",
            "mend the site plan and provision again: wattline field provision",
            "修正现场计划后重新执行 wattline field provision",
        )
    else:
        slot = ("the root's", "a", "b")[facts["slot"]] if "slot" in facts else "?"
        yield Finding("terminal", f"terminal {facts['terminal']}, application {slot}", f"终端 {facts['terminal']}")
        host, port, server = facts["broker"] or ("fetched over Modbus", "-", None)
        secured = "TLS" if server else "no TLS"
        yield Finding("link", f"its broker: {host}:{port}, {secured}", f"消息服务器：{host}:{port}，{secured}")


def _clock(facts: Facts, now_s: int) -> Iterator[Finding]:
    if facts["rtc_s"] is None:
        yield Finding(
            "clock_unset",
            "nobody has told the clock the time since its power came on",
            "上电后尚未校时",
            "windows wait for the gateway's first ack: mend the uplink, nothing is lost",
            "恢复上行后由网关校时，数据不会丢失",
        )
    elif abs(facts["rtc_s"] - now_s) > _CLOCK_OFF_S:
        off_s = facts["rtc_s"] - now_s
        yield Finding(
            "clock_off",
            f"its clock is {off_s:+d} s off this laptop's",
            f"时钟与本机相差 {off_s:+d} 秒",
            "which of the two is wrong? The gateway's next ack sets the terminal's",
            "请确认哪一个不准；终端会在下次网关应答时校时",
        )
    else:
        yield Finding("clock", "its clock agrees with this laptop's", "时钟与本机一致")


def _log(facts: Facts) -> Iterator[Finding]:
    pending = facts["pending"]
    text = (
        f"{pending} records wait for the gateway; epoch {facts['epoch']:08x}, next {facts['next']}",
        f"{pending} 条记录待上报，下一序号 {facts['next']}",
    )
    if pending > _DAY_RECORDS:
        yield Finding("backlog", *text, "take them along: wattline field pull", "请执行 wattline field pull 取走记录")
    else:
        yield Finding("log", *text)
    if facts["damaged"]:
        yield Finding(
            "log_damaged",
            f"{facts['damaged']} records on the flash are damaged",
            f"闪存中有 {facts['damaged']} 条记录损坏",
            "pull the rest, then take another board: wattline field replace",
            "取走其余记录后更换硬件：wattline field replace",
        )


def _acks(facts: Facts, records: Records, now_s: int) -> Iterator[Finding]:
    if facts["acknowledged"] is None:
        yield Finding(
            "never_acknowledged",
            "the gateway has acknowledged nothing that is still here",
            "现存记录均未得到网关应答",
            "is it admitted? broker, network and certificates: wattline field test",
            "请检查是否已登记、服务器、网络与证书：wattline field test",
        )
        return
    at_s = next((_time_s(one) for one in records if one.seq == facts["acknowledged"]), None)
    if at_s is None:
        yield Finding(
            "acknowledged", f"acknowledged up to {facts['acknowledged']}", f"已应答至 {facts['acknowledged']}"
        )
    elif now_s - at_s > _ACK_LATE_S:
        yield Finding(
            "acks_late",
            f"the last record that the gateway has is of {_text(at_s)}",
            f"网关最后收到的记录时间为 {_text(at_s)}",
            "the uplink is down: broker, network, certificates; what waits is safe on the flash",
            "上行中断：请检查服务器、网络与证书；待报数据安全保存在闪存中",
        )
    else:
        yield Finding("acknowledged", f"the gateway has records up to {_text(at_s)}", f"网关已收到至 {_text(at_s)}")


def _flash(facts: Facts) -> Iterator[Finding]:
    blocks = max(1, facts["data_bytes"] // _BLOCK_BYTES)
    erases = int(facts["next"] * _ERASES_A_RECORD / blocks)
    text = (
        f"about {erases} of {WEAR_ERASES} erases a block, reckoned by its records",
        f"按记录数估算每块擦写约 {erases} 次（额定 {WEAR_ERASES} 次）",
    )
    if erases > WEAR_ERASES // 2:
        yield Finding("wear", *text, "plan to take another board", "建议安排更换硬件")
    else:
        yield Finding("wear", *text)
    if facts["code_free"] < _ROOM_LEAST * facts["code_bytes"]:
        yield Finding(
            "code_full",
            f"{facts['code_free']} bytes are left beside the application",
            f"应用分区仅剩 {facts['code_free']} 字节",
            "install again, which removes what is no part of it: wattline field install",
            "重新执行 wattline field install 清理多余文件",
        )


def _starts(records: Records) -> Iterator[Finding]:
    causes = [one.values[0] for one in _events(records, record.BOOT)]
    bad = [one for one in causes if one in {_WATCHDOG, _MEMORY, _WEDGED}]
    if bad:
        yield Finding(
            "restarts",
            f"{len(bad)} of its last {len(causes)} starts were its watchdog's, for memory or a wedged task: {bad}",
            f"最近 {len(causes)} 次启动中有 {len(bad)} 次由看门狗、内存不足或任务卡死引起",
            "send this page and `wattline field logs` to whoever maintains the firmware",
            "请将本页与 `wattline field logs` 的输出发给固件维护人员",
        )
    else:
        yield Finding("starts", f"{len(causes)} starts in its newest records", f"最近记录中启动 {len(causes)} 次")


def _meters(records: Records) -> Iterator[Finding]:
    windows = [one.body for one in records if one.type == record.WINDOW]
    readings = windows[-1].readings if windows else []
    silent = [number for number, one in enumerate(readings, 1) if isinstance(one, int)]
    if silent:
        points = ", ".join(map(str, silent))
        yield Finding(
            "meters_silent",
            f"no reading of point {points} in the newest window",
            f"最近窗口中测点 {points} 无读数",
            "supply, wires A and B, address and line settings: wattline field scan",
            "检查电表供电、A/B 线、地址与串口参数：wattline field scan",
        )
    elif windows:
        yield Finding("meters", f"all {len(readings)} points were read", f"{len(readings)} 个测点均有读数")


def _health(records: Records) -> Iterator[Finding]:
    told = _events(records, record.HEALTH)
    if told:
        values = ", ".join(f"{name} {value}" for name, value in zip(_HEALTH_NAMES, told[-1].values, strict=False))
        yield Finding("health", f"it last told of itself: {values}", f"最近一次自检：{values}")


def _events(records: Records, code: int) -> list[record.Event]:
    return [one.body for one in records if one.type == record.EVENT and one.body.code == code]


def _time_s(one: record.Record) -> int | None:
    found: int | None = one.body.time_s if one.type == record.EVENT else one.body.start_s
    return found


def _text(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
