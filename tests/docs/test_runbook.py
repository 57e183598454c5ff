"""The operator's runbook has an entry for whatever the product can say, and for nothing else; in both languages."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import pytest

from cext.decoder import REASON_NAMES
from gateway.forward import sink, text_packets
from gateway.gaps import words as gaps
from gateway.pipeline import OLDER_FLASH
from gateway.rotation import certificates, changes
from gateway.verify import CHECKS, severity
from gateway.wanted import configurations
from gateway.watch import words as watch
from gateway.watch.dispatch import sender
from protocol import errors, ticket, update
from protocol.host.event_names import EVENT_NAMES

REPO = Path(__file__).resolve().parents[2]
CONSOLE = ("MALFORMED", "KEY", "SIGNATURE", "TERMINAL", "EXPIRED", "NO_TIME", "USED")


def _raised(pattern: str, *folders: str) -> set[str]:
    """What sources say by literals, where no list declares it."""
    files = [path for folder in folders for path in sorted(REPO.glob(folder))]
    return {name for path in files for name in re.findall(pattern, path.read_text(encoding="utf-8"))}


def _refused() -> set[str]:
    of_records = {name for name in CHECKS if severity(name) == "refuse"}
    return errors.REASONS.keys() | {name for name in REASON_NAMES if name} | of_records | {"topic", "conflict"}


def _modbus() -> set[str]:
    said = r'(?:LinkError\(|FetchError\(|_expect\(.*, |_turn_away\(member, |return |else )"(\w+)"'
    return _raised(said, "gateway/modbus_intake/li*.py", "protocol/mailbox.py")


def _admission() -> set[str]:
    said = r'(?:RefusedError|SignedError)\(\s*"(\w+)"'
    return _raised(said, "gateway/commissioning/*.py", "protocol/host/signed.py")


def _dead() -> set[str]:
    codes = _raised(r'PacketError\(f?"([^"]+)"', "gateway/hj212/packet.py", "gateway/hj212/split.py")
    return (
        {re.sub(r"^bad-[A-Z{].*", "bad-FIELD", code) for code in codes}
        | {"unmapped", "refused"}
        | text_packets.REASONS.keys()
    )


def _log_lines() -> set[str]:
    lines = _raised(r'\b_?log\.(?:warning|error|exception|critical)\(\s*"(\w+)"', "gateway/**/*.py")
    return lines | {EVENT_NAMES[code][0] for code in OLDER_FLASH}


def _alerts() -> set[str]:
    return _raised(r"- alert: (\w+)", "deploy/monitoring/alerts.yaml")


class Section(NamedTuple):
    """A section of the runbook: its headings, and what the product can say of it."""

    en: str
    zh: str
    said: Collection[str]


SECTIONS = [
    Section("Alarms", "报警", watch.MEANING.keys()),
    Section("Prometheus alerts", "Prometheus 告警", _alerts()),
    Section("Refused frames and records", "被拒绝的帧与记录", _refused()),
    Section("Marked readings", "被标记的读数", {name for name in CHECKS if severity(name) != "refuse"}),
    Section("Missing windows", "缺失窗口", gaps.CAUSES),
    Section("Sinks", "转发目标", sink.REASONS.keys()),
    Section("Dead letters", "死信", _dead()),
    Section("Channels", "通知渠道", sender.REASONS),
    Section("Modbus", "Modbus", _modbus()),
    Section("Configurations", "配置", {str(number) for number in configurations.REASONS}),
    Section("Keys", "密钥", {str(number) for number in changes.REASONS}),
    Section("Certificates", "证书", {str(number) for number in certificates.REASONS}),
    Section("Updates", "升级", {name for name, _ in update.REFUSALS.values()}),
    Section("Console tickets", "控制台票据", {str(getattr(ticket, name)) for name in CONSOLE}),
    Section("Enrolments and reports", "登记文件与投运报告", _admission()),
    Section("Lines of the log", "日志事件", _log_lines()),
]


def _entries(text: str, heading: str) -> list[str]:
    """The first cells of the table under a heading, each of which has a meaning and something to do."""
    found = re.search(rf"^##+ {re.escape(heading)}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no section {heading}"
    return re.findall(r"^\| `([\w-]+)` \| [^|]{2,} \| [^|]{1,} \|$", found[1], re.MULTILINE)


@pytest.mark.parametrize("page", ["docs/runbook.md", "docs/runbook.zh.md"])
@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.en)
def test_whatever_an_operator_is_shown_has_one_entry(section: Section, page: str) -> None:
    """P-390"""
    text = (REPO / page).read_text(encoding="utf-8")
    entries = _entries(text, section.zh if ".zh." in page else section.en)
    assert section.said
    assert sorted(entries) == sorted(section.said), f"{section.en}: {set(section.said).symmetric_difference(entries)}"
