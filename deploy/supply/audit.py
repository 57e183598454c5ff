"""Which pinned packages have published advisories, from a list that was fetched before: no internet is needed.

    make audit ADVISORIES=all.zip

The list is OSV's export for PyPI (https://ossf.github.io/osv-schema/): a zip of one JSON document an advisory, or a
folder of such documents. Fetch it where there is internet, carry it over:
https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip
Without a list nothing is checked, and that is said.
Exit status: 0 nothing found, or skipped; 1 found; 2 the list can't be read.
"""

import argparse
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from packaging.version import InvalidVersion, Version

from deploy.supply.pins import Pin, locks, normalized, pins_of

ADVISORIES_MAX = 200_000  # OSV had some 20,000 for PyPI in 2025
DOCUMENT_BYTES_MAX = 4_000_000  # the longest list every version of a package
ECOSYSTEM = "PyPI"
OLD_DAYS = 30  # a list that is older says little of what is known


class Package(msgspec.Struct):
    """What an advisory is about."""

    ecosystem: str = ""
    name: str = ""


class Range(msgspec.Struct):
    """Versions from each `introduced` up to, not with, the `fixed` (or with the `last_affected`) that follows."""

    type: str = ""
    events: list[dict[str, str]] = msgspec.field(default_factory=list)


class Affected(msgspec.Struct):
    """Affected versions of a package: listed, or between events."""

    package: Package = msgspec.field(default_factory=Package)
    ranges: list[Range] = msgspec.field(default_factory=list)
    versions: list[str] = msgspec.field(default_factory=list)


class Advisory(msgspec.Struct):
    """What is used of an OSV document."""

    id: str
    modified: Annotated[datetime, msgspec.Meta(tz=True)]
    summary: str = ""
    withdrawn: str | None = None
    affected: list[Affected] = msgspec.field(default_factory=list)


class Finding(NamedTuple):
    """An advisory that a pin of a lock file falls under."""

    lock: str
    pin: Pin
    advisory: Advisory


def read(path: Path) -> Iterator[Advisory]:
    """Each advisory of a zip or a folder. Raises ValueError for what is none, too long or too many; OSError."""
    for number, (name, data) in enumerate(_documents(path)):
        if number >= ADVISORIES_MAX:
            raise ValueError(f"{path}: more than {ADVISORIES_MAX} advisories")
        try:
            yield msgspec.json.decode(data, type=Advisory)
        except msgspec.DecodeError as error:
            raise ValueError(f"{path}: {name}: no OSV document: {error}") from None


def findings(advisories: list[Advisory], pinned: dict[str, list[Pin]]) -> list[Finding]:
    """What was found, by lock file (pinned: its name, its pins), in the order of the locks."""
    by_name: dict[str, list[tuple[Advisory, Affected]]] = {}
    for advisory in advisories:
        for one in advisory.affected if advisory.withdrawn is None else ():
            if one.package.ecosystem == ECOSYSTEM:
                by_name.setdefault(normalized(one.package.name), []).append((advisory, one))
    return [
        Finding(lock, pin, advisory)
        for lock, pins in pinned.items()
        for pin in pins
        for advisory, one in by_name.get(pin.name, ())
        if is_affected(pin.version, one)
    ]


def is_affected(version: str, affected: Affected) -> bool:
    """Whether a version is among those of the advisory. A range that can't be read counts: a person looks."""
    if version in affected.versions:
        return True
    ranges = [one.events for one in affected.ranges if one.type == "ECOSYSTEM"]
    try:
        return any(_within(Version(version), events) for events in ranges)
    except InvalidVersion:
        return True


def _within(version: Version, events: list[dict[str, str]]) -> bool:
    """OSV schema, `affected[].ranges[].events`: by version, the last event not after it decides."""
    inside = False
    for kind, text in sorted((pair for event in events for pair in event.items()), key=_order):
        at = _version(text)
        if kind == "introduced" and version >= at:
            inside = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            inside = False
    return inside


def _order(pair: tuple[str, str]) -> tuple[Version, bool]:
    """Where a fix and a new introduction are one version, the introduction counts."""
    return _version(pair[1]), pair[0] == "introduced"


def _version(text: str) -> Version:
    return Version("0.dev0" if text == "0" else text)


def _documents(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for one in sorted(path.glob("*.json")):
            yield one.name, _bounded(one.name, one.stat().st_size, one.read_bytes)
        return
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.filename.endswith(".json"):
                    yield info.filename, _bounded(info.filename, info.file_size, partial(archive.read, info))
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:  # the last two: a password, a packing
        raise ValueError(f"{path}: {error}") from None


def _bounded(name: str, size: int, get: Callable[[], bytes]) -> bytes:
    if size > DOCUMENT_BYTES_MAX:
        raise ValueError(f"{name}: {size} bytes: longer than any advisory")
    return get()


def main() -> int:
    """Check every lock file of the project against the list that is given."""
    parser = argparse.ArgumentParser(description="pinned packages with known advisories / 已知漏洞检查（离线）")
    parser.add_argument("advisories", nargs="?", type=Path, help="OSV's PyPI export: all.zip, or a folder of its JSON")
    path: Path | None = parser.parse_args().advisories
    pinned = {lock.name: pins_of(lock) for lock in locks()}
    count = sum(map(len, pinned.values()))
    if path is None:
        print(f"[audit] SKIPPED: {count} pins not checked: no list of advisories; make audit ADVISORIES=all.zip")
        print(f"[audit] 未检查: {count} 个依赖未核对漏洞清单")
        return 0
    try:
        advisories = list(read(path))
    except (ValueError, OSError) as error:
        print(f"[audit] !! {error} / 无法读取漏洞清单", file=sys.stderr)
        return 2
    if not any(one.package.ecosystem == ECOSYSTEM for advisory in advisories for one in advisory.affected):
        print(f"[audit] !! {path}: no advisory of {ECOSYSTEM} in it / 清单中没有 {ECOSYSTEM} 的漏洞", file=sys.stderr)
        return 2
    return _tell(findings(advisories, pinned), count, max(one.modified for one in advisories))


def _tell(found: list[Finding], count: int, newest: datetime) -> int:
    for one in found:
        print(f"[audit] {one.lock}: {one.pin.name} {one.pin.version}: {one.advisory.id}: {one.advisory.summary}")
    age = (datetime.now(UTC) - newest).days
    old = f"; it is {age} days old, fetch another / 清单已过期" if age > OLD_DAYS else ""
    print(f"[audit] {count} pins, {len(found)} findings; newest advisory of {newest:%Y-%m-%d}{old}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
