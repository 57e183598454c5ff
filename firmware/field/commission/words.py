"""What a commissioning finds, in words: by code, with what to do next."""

from __future__ import annotations

from firmware.field.outcome import Finding

NO_FIRMWARE = Finding(
    "no_firmware", "no --firmware: MicroPython stays as it is", "未给出 --firmware：保持板上 MicroPython"
)
SKIPPED = Finding("skipped", "skipped by the technician", "技术员选择跳过")
UPLOAD = {
    "silent": Finding(
        "silent",
        "the terminal said nothing",
        "终端没有任何输出",
        "look at its supply and its cable; then `wattline field doctor`",
        "检查电源与串口线，然后运行 doctor",
    ),
    "configuration": Finding(
        "configuration",
        "the terminal does not take its configuration",
        "终端不接受其配置",
        "provision it again with this plan: `--from provision`",
        "用本计划重新写入：--from provision",
    ),
    "crash": Finding(
        "crash",
        "the terminal's program ended with an error",
        "终端程序异常退出",
        "install it again: `--from install`; if it stays, send the console's text with a ticket",
        "重新安装：--from install；若仍出现，请附控制台文字报修",
    ),
    "no_link": Finding(
        "no_link",
        "the terminal is not in its network: name, password or reach of the Wi-Fi",
        "终端未接入无线网络：检查名称、密码与信号",
        "look at [network] of the plan and at the antenna, then `--from provision`",
        "检查计划中的 [network] 与天线，然后 --from provision",
    ),
    "no_such_host": Finding(
        "no_such_host",
        "the broker's name is not known in this network",
        "此网络无法解析代理主机名",
        "look at [broker] host of the plan, or give its address; then `--from provision`",
        "检查计划中的 broker host 或改用 IP 地址，然后 --from provision",
    ),
    "no_broker": Finding(
        "no_broker",
        "the network is there, the broker does not answer",
        "网络正常，但消息代理无应答",
        "look at [broker] host and port of the plan, at firewalls; is the port open from a laptop in this network?",
        "检查计划中的 broker 地址与端口、防火墙，用同网络的电脑测试端口是否开放",
    ),
    "hung_up": Finding(
        "hung_up",
        "the broker hangs up: the terminal's certificate is expired, revoked or of another authority",
        "代理断开连接：不接受终端证书（过期、已吊销或颁发机构不符）",
        "have the operator look at `pki list` and the broker's log, and issue another; then `--from provision`",
        "请运维人员查看 pki list 与代理日志并重新签发，然后 --from provision",
    ),
    "certificate": Finding(
        "certificate",
        "the broker's certificate is refused: of another authority or name, or by the terminal's clock",
        "代理证书被拒绝：颁发机构或名称不符，或终端时钟不对",
        "look at ca and server_name of the plan; with a wrong clock it tries again by itself: wait ten minutes",
        "检查计划中的 ca 与 server_name；若为时钟问题终端会自行重试，请等待十分钟",
    ),
    "broker_refuses": Finding(
        "broker_refuses",
        "the broker refuses the terminal",
        "消息代理拒绝该终端",
        "the certificate's name must be the terminal's id, and the broker's access list must know it",
        "证书名称须为终端编号，且代理的访问控制须允许该终端",
    ),
    "key": Finding(
        "key",
        "the gateway knows another key for this terminal",
        "网关登记的密钥与终端不一致",
        "have the operator admit the newest enrolment file, then test again: `--from test`",
        "请运维人员导入最新的登记文件，然后 --from test",
    ),
    "refused": Finding(
        "refused",
        "the gateway refuses the terminal's records",
        "网关拒绝该终端的记录",
        "ask the operator for `wattline gateway quarantine list`",
        "请运维人员查看 quarantine list",
    ),
    "not_answered": Finding(
        "not_answered",
        "the terminal sends, and the gateway does not answer: it does not know this terminal or its key, or is away",
        "终端已发送但网关未应答：网关尚未登记该终端或其密钥，或未运行",
        "send the enrolment file to the operator, who admits it: `wattline gateway admit`; then `--from test`",
        "把登记文件发给运维人员执行 wattline gateway admit，然后 --from test",
    ),
}


def enrolment(file: str) -> Finding:
    """The gateway has to know the terminal before `test` can pass."""
    return Finding(
        "enrolment",
        f"{file} is made: the gateway answers only after it was admitted there",
        f"已生成 {file}：网关导入后才会应答",
        f"send it to the operator now, who runs `wattline gateway admit {file}`",
        f"请现在发给运维人员执行 wattline gateway admit {file}",
    )


def reported(file: str) -> Finding:
    """What is left to do after the last step."""
    return Finding(
        "reported",
        f"{file} is signed",
        f"{file} 已签名",
        "send it to the operator, who admits it; stick the label on; `wattline field close-console` is the last",
        "请发给运维人员导入；贴上标签；最后执行 wattline field close-console",
    )


def other_board(found: str, planned: str) -> Finding:
    """The wrong board, or the wrong port."""
    return Finding(
        "other_board",
        f"this board is {found}; the plan says {planned}",
        f"此板为 {found}，计划为 {planned}",
        "the right board, and the right port? else mend `board` in the plan",
        "请确认板子与端口，或更正计划中的 board",
    )


def other_firmware(name: str, chip: str, planned: str) -> Finding:
    """A firmware file that is for another board than the plan's."""
    return Finding(
        "other_firmware",
        f"{name} is for an {chip}; the plan says {planned}",
        f"{name} 用于 {chip}，计划为 {planned}",
        "take the file for this board, or mend `board` in the plan",
        "请换用此板型的固件文件，或更正计划中的 board",
    )


def other_meter(number: int, name: str, planned: str, found: int) -> Finding:
    """A meter of another number than the plan's: it measures another feeder, or was replaced."""
    return Finding(
        "other_meter",
        f"{number} {name}: meter no. {found} answers; the plan says {planned}",
        f"{number} {name}：应答的表号为 {found}，计划为 {planned}",
        "is it wired to this feeder? if it was replaced, mend `serial` in the plan",
        "请确认该表是否接在此回路；若已换表，请更正计划中的 serial",
    )
