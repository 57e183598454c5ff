"""An enrolment makes a terminal known, a report says what was commissioned: both into terminals.toml, each once.

What is refused changes nothing. A cut at any moment leaves the file as it was or as it is to be, and the same command
again ends the same way: what can be done twice comes first, and what refuses a second time comes last.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gateway import registry_edit
from gateway.files import give_to_owner_of, write_durably
from gateway.keys import key_file
from gateway.keys.wrapping import WrappingKeys
from gateway.registry import KeyEntry, Meter, Point, RegistryFile, TerminalEntry
from protocol import limits
from protocol.host import commissioning, sealing, signed
from protocol.host.commissioning import Enrolment, MeasuredPoint, Report
from protocol.host.strict import ConfigError, convert, read

KINDS: Mapping[str, type[Enrolment | Report]] = {commissioning.ENROLMENT: Enrolment, commissioning.REPORT: Report}


AHEAD = timedelta(minutes=10)  # that a laptop's clock may be; behind it may be as far as it is


class RefusedError(Exception):
    """A document that is not taken.

    reason: form, kind, signer, signature, replayed, future, conflict, key, unknown, unfinished, unseen.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class Standing:
    """What documents are held against."""

    terminals: Path
    kept: Path  # the folder of documents that were taken: evidence
    technicians: Mapping[str, Ed25519PublicKey]
    wrapping: WrappingKeys = field(default_factory=WrappingKeys)  # under which new keys lie on our disk
    agreed: Mapping[str, int] = field(default_factory=dict)  # the newest generation agreed on over the air, by terminal

    def file(self, terminal: str, digest: str) -> Path:
        """Where a document is kept."""
        return self.kept / f"{terminal}.{digest[:32]}.json"


def open_document(data: bytes, technicians: Mapping[str, Ed25519PublicKey]) -> tuple[Enrolment | Report, str]:
    """A document of a technician who counts, and its digest. Raises RefusedError."""
    try:
        found = signed.parse(data)
        body = signed.verify(found, found.kind if found.kind in KINDS else commissioning.REPORT, technicians)
    except signed.SignedError as error:
        raise RefusedError(error.reason, str(error)) from error
    try:
        content = convert(body, KINDS[found.kind], Path(found.kind))
    except ConfigError as error:
        raise RefusedError("form", str(error)) from error
    _refuse_odd(content, found.signer)
    return content, commissioning.digest(body)


def _taken_generation(newest: int) -> str:
    """That a generation has a key already, and which one to take."""
    if newest >= limits.GENERATION_MAX:
        return f"generation {newest} has a key, the last one: give it another id / 密钥代号已用尽，请换用新的终端编号"
    text = f"generation {newest} has a key already; provision with --generation {newest + 1}"
    return f"{text} / 该代号已有密钥，请用更高的代号重新写入"


def admit_enrolment(standing: Standing, data: bytes, private: X25519PrivateKey) -> TerminalEntry:
    """Make a terminal known, or give a known one another key. Raises RefusedError, ConfigError, OSError."""
    found, digest = open_document(data, standing.technicians)
    if not isinstance(found, Enrolment):
        raise RefusedError("kind", "not an enrolment / 不是登记文件")
    known = _entries(standing.terminals).get(found.terminal)
    points = [_point(one) for one in found.points]
    generations = [key.generation for key in known.keys] if known else []
    generations.append(standing.agreed.get(found.terminal, 0))
    kept = standing.file(found.terminal, digest)
    newest = max(generations)
    if found.generation <= newest:  # one below may be of a key that was taken out of the file
        if kept.exists():
            raise RefusedError("replayed", f"{found.terminal}: this enrolment was taken already / 该登记文件已导入过")
        raise RefusedError("conflict", f"{found.terminal}: {_taken_generation(newest)}")
    if known is not None:
        _refuse_revoked(known)
        _compare(found.terminal, known.points, points)
    key = KeyEntry(generation=found.generation, file=f"keys/{found.terminal}.{found.generation}.hex")
    _write_key(standing, key, found.terminal, _unsealed(found, private))
    _keep(kept, data)
    if known is None:
        entry = TerminalEntry(id=found.terminal, keys=[key], points=points, board=found.board)
        registry_edit.add(standing.terminals, entry)
    else:
        entry = msgspec.structs.replace(known, keys=[*known.keys, key], board=found.board)
        registry_edit.put(standing.terminals, entry)
    return entry


def admit_report(
    standing: Standing, data: bytes, has_record: Callable[[str, int, int], bool], now: datetime
) -> TerminalEntry:
    """Take what was commissioned into the terminal's entry.

    has_record(terminal, epoch, seq): whether the journal has it. now: the gateway's clock. Raises RefusedError,
    ConfigError, OSError.
    """
    found, digest = open_document(data, standing.technicians)
    if not isinstance(found, Report):
        raise RefusedError("kind", "not a report / 不是投运报告")
    entries = _entries(standing.terminals)
    known = entries.get(found.terminal)
    if known is None or found.enrolment not in _enrolments(standing, found.terminal):
        text = "admit its enrolment first / 请先导入登记文件: wattline gateway admit"
        raise RefusedError("unknown", f"{found.terminal}: {text} {found.terminal}.enrolment.json")
    _refuse_revoked(known)
    if standing.file(found.terminal, digest).exists():
        raise RefusedError("replayed", f"{found.terminal}: this report was taken already / 该报告已导入过")
    _refuse_unfinished(found)
    _refuse_older(standing, found, now + AHEAD)
    _compare(found.terminal, known.points, [_measured(one) for one in found.points])
    _refuse_taken_meters(found, entries)
    if not has_record(found.terminal, found.first_record.epoch, found.first_record.seq):
        text = f"record {found.first_record.epoch:08x}/{found.first_record.seq} is not in this journal"
        raise RefusedError(
            "unseen", f"{found.terminal}: {text}: the test upload reached another gateway / 测试上报不在本网关日志库中"
        )
    points = [_with_meter(point, _of(found, point.number)) for point in known.points]
    commissioned = known.commissioned or _ended(found)
    entry = msgspec.structs.replace(known, points=points, board=found.board.kind, commissioned=commissioned)
    registry_edit.put(standing.terminals, entry)
    _keep(standing.file(found.terminal, digest), data)
    return entry


def reports_of(standing: Standing, terminal: str) -> Iterator[Report]:
    """The reports of a terminal that were taken."""
    for path, document in _taken(standing, terminal):
        if document.kind == commissioning.REPORT:
            yield convert(document.body, Report, path)


def _enrolments(standing: Standing, terminal: str) -> set[str]:
    """The digests of the enrolments of a terminal that were taken."""
    found = (one for _, one in _taken(standing, terminal) if one.kind == commissioning.ENROLMENT)
    return {commissioning.digest(one.body) for one in found}


def _taken(standing: Standing, terminal: str) -> Iterator[tuple[Path, signed.Signed]]:
    for path in sorted(standing.kept.glob(f"{terminal}.*.json")):
        yield path, signed.parse(path.read_bytes())


def _entries(terminals: Path) -> dict[str, TerminalEntry]:
    return {one.id: one for one in read(terminals, RegistryFile).terminal}


def _refuse_odd(found: Enrolment | Report, signer: str) -> None:
    """What the form of a document alone does not say."""
    numbers = [one.number for one in found.points]
    if len(set(numbers)) != len(numbers):
        raise RefusedError("form", f"{found.terminal}: a point stands twice / 测点重复: {numbers}")
    if isinstance(found, Enrolment):
        return
    if found.technician != signer:
        raise RefusedError("signer", f"{signer} signed what {found.technician} says / 签名人与技术员不符")
    try:
        datetime.fromisoformat(found.ended)
    except ValueError as error:
        raise RefusedError("form", f"ended: {found.ended}: no time / 时间无效") from error


def _refuse_revoked(known: TerminalEntry) -> None:
    if known.revoked is not None:
        text = f"{known.id}: revoked; delete `revoked` in terminals.toml first / 已吊销，请先删除 revoked 行"
        raise RefusedError("conflict", text)


def _refuse_unfinished(found: Report) -> None:
    open_steps = [one.step for one in found.steps if one.state == "failed"]
    open_steps += [f"point {one.number}: wiring" for one in found.points if one.wiring == "failed"]
    if open_steps:
        raise RefusedError("unfinished", f"{found.terminal}: {', '.join(open_steps)}: failed / 有步骤未通过")


def _refuse_older(standing: Standing, found: Report, latest: datetime) -> None:
    """A report of the future would be in force until then: none is taken, and none that was counts."""
    if _ended(found) > latest:
        text = f"ended {found.ended}, and it is not so late yet: set the laptop's clock, then `wattline field report`"
        raise RefusedError("future", f"{found.terminal}: {text} / 结束时间晚于现在：请校正笔记本时钟后重新生成报告")
    in_force = (one for one in reports_of(standing, found.terminal) if _ended(one) <= latest)
    newest = max(in_force, key=_ended, default=None)
    if newest is not None and _ended(found) <= _ended(newest):
        text = f"ended {found.ended}, and one of {newest.ended} is in force / 早于已生效的报告"
        raise RefusedError("replayed", f"{found.terminal}: {text}")


def _ended(found: Report) -> datetime:
    """`_refuse_odd` has seen that it is a time."""
    return datetime.fromisoformat(found.ended)


def _refuse_taken_meters(found: Report, entries: Mapping[str, TerminalEntry]) -> None:
    """A meter measures one place: circuits of one meter are points of one terminal."""
    owners = {
        point.meter.serial: f"{entry.id}/{point.number}"
        for entry in entries.values()
        if entry.id != found.terminal and entry.revoked is None
        for point in entry.points
        if point.meter is not None and point.meter.serial is not None
    }
    for point in found.points:
        owner = owners.get(point.meter.serial) if point.meter.serial is not None else None
        if owner is not None:
            text = f"point {point.number}: meter {point.meter.serial} is that of {owner}"
            raise RefusedError("conflict", f"{found.terminal}: {text} / 该电表已属于其他测点")


_SAME = ("name", "kind", "rated_power_w", "ct_ratio", "pt_ratio")


def _compare(terminal: str, known: list[Point], told: list[Point]) -> None:
    """Raises RefusedError where points are others than those known; what is not known of them yet may come."""
    numbers = [sorted(one.number for one in points) for points in (known, told)]
    if numbers[0] != numbers[1]:
        text = f"points {numbers[1]}, and terminals.toml has {numbers[0]} / 测点与登记不符"
        raise RefusedError("conflict", f"{terminal}: {text}")
    by_number = {one.number: one for one in known}
    for one in told:
        for name in _SAME:
            before, now = getattr(by_number[one.number], name), getattr(one, name)
            if before is not None and before != now:
                text = f"point {one.number}: {name} {now!r}, and terminals.toml has {before!r} / 与登记不符"
                raise RefusedError("conflict", f"{terminal}: {text}")


def _point(one: commissioning.Point) -> Point:
    values = msgspec.structs.asdict(one)
    return Point(**{name: value for name, value in values.items() if value is not None})


def _measured(one: MeasuredPoint) -> Point:
    return Point(number=one.number, **{name: getattr(one, name) for name in _SAME})


def _of(found: Report, number: int) -> MeasuredPoint:
    return next(one for one in found.points if one.number == number)


def _with_meter(point: Point, found: MeasuredPoint) -> Point:
    meter = Meter(serial=found.meter.serial, ct_milli=found.meter.ct_milli, pt_milli=found.meter.pt_milli)
    same = {name: getattr(found, name) for name in _SAME}
    return msgspec.structs.replace(point, **same, meter=meter)


def _unsealed(found: Enrolment, private: X25519PrivateKey) -> bytes:
    try:
        return sealing.unseal(bytes.fromhex(found.sealed_key), private, found.terminal, found.generation)
    except sealing.SealError as error:
        raise RefusedError("key", str(error)) from error


def _write_key(standing: Standing, key: KeyEntry, terminal: str, secret: bytes) -> None:
    """A key's file, which a cut may have left behind. Raises RefusedError where there is another key."""
    home = standing.terminals.resolve().parent
    path, name = home / key.file, key_file.name_of(terminal, key.generation)
    _make_folder(path.parent, home)
    try:
        key_file.write(path, secret, name, standing.wrapping)
    except FileExistsError:
        if key_file.read(path, name, standing.wrapping) != secret:
            raise RefusedError("conflict", f"{path}: another key is there already / 已存在另一个密钥文件") from None
    give_to_owner_of(home, path)


def _keep(path: Path, data: bytes) -> None:
    home = path.parent.parent
    home.mkdir(parents=True, exist_ok=True)
    _make_folder(path.parent, home)
    write_durably(path, data)
    give_to_owner_of(home, path)


def _make_folder(path: Path, home: Path) -> None:
    """Where there is none: of who owns the folder that it is in."""
    if not path.exists():
        path.mkdir(mode=0o700, exist_ok=True)  # the console may be first
        give_to_owner_of(home, path)
