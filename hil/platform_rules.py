"""What a strict HJ 212 platform insists on: each rule that an upload breaks, in words. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from gateway.hj212.packet import CP_MAX_BYTES, EDITION_2025, PacketError, Segment, build, cp_text
from gateway.hj212.parse import Received
from gateway.hj212.split import PACKETS_MAX
from hil.platform_ledger import Ledger

ENCRYPTED = ("1014", "3020")  # besides 2000 to 2999 (HJ 212-2025 6.4.4)


@dataclass(frozen=True, slots=True)
class Rules:
    """How strict a platform is. Where nothing is named, anything is taken.

    edition: EDITION_2017 or EDITION_2025. passwords: by MN; other stations are unknown. must_encrypt: uploads that the
    2025 edition wants encrypted and that are not, are refused.
    """

    strict: bool = False
    edition: int | None = None
    passwords: dict[str, str] = field(default_factory=dict, repr=False)
    must_encrypt: bool = False


def broken(rules: Rules, received: Received, ledger: Ledger) -> list[str]:
    """Every rule that this packet breaks; nothing where the platform is liberal."""
    segment = received.segment
    if not rules.strict or segment is None:
        return []
    found = [*received.notes, *_form(segment)]
    if rules.edition is not None and segment.edition != rules.edition:
        found.append(f"edition: Flag {segment.flag} is not of the edition in use here")
    if rules.passwords and rules.passwords.get(segment.mn) != segment.pw:
        found.append("login: MN unknown, or its password is another")
    if segment.qn <= ledger.last_qn(segment.mn) and not ledger.knows(segment):
        found.append(f"qn: {segment.qn} is not above {ledger.last_qn(segment.mn)}")
    if segment.pnum is not None and segment.pnum > PACKETS_MAX:
        found.append(f"pnum: {segment.pnum} packets; {PACKETS_MAX} at most")
    if rules.must_encrypt and _is_to_be_encrypted(segment) and not received.encrypted:
        found.append("plain: this is to be encrypted")
    return found


def _form(segment: Segment) -> Collection[str]:
    """What our own strict builder would refuse."""
    try:
        build(segment)
    except PacketError as error:
        return [str(error)]
    size = len(cp_text(segment.cp).encode("utf-8"))
    return [f"cp-long: {size} bytes; {CP_MAX_BYTES} at most"] if size > CP_MAX_BYTES else []


def _is_to_be_encrypted(segment: Segment) -> bool:
    upload = segment.cn.startswith("2") or segment.cn in ENCRYPTED
    return segment.edition == EDITION_2025 and upload and bool(segment.cp)
