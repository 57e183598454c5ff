"""The part of requirements.lock that some extras of wattline need, for `pip --require-hashes`.

`locked.py EXTRA... [--platform win32] [--but FOLDER]`; without what FOLDER has a wheel of. So what is shipped has the
versions and hashes that everything was tested with.
"""

import argparse
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

LOCK = Path(__file__).parents[1] / "setup" / "requirements.lock"
SYSTEMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    "win32": {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
}


def blocks(text: str) -> dict[str, str]:
    """Package by package what the lock says of it, under its canonical name."""
    found = re.split(r"(?m)^(?=[A-Za-z0-9])", text)[1:]
    return {canonicalize_name(re.split(r"[=\[; ]", one, maxsplit=1)[0]): one for one in found}


def needed(extras: Sequence[str], platform: str, locked: dict[str, str]) -> set[str]:
    """The names of what wattline with these extras needs there."""
    environment = {name: str(value) for name, value in default_environment().items()} | SYSTEMS[platform]
    names: set[tuple[str, str]] = set()
    todo = list(_of("wattline", ["", *extras], environment))
    while todo:
        one = todo.pop()
        name = canonicalize_name(one.name)
        new = {(name, extra) for extra in ("", *one.extras)} - names
        if new:
            if name not in locked:
                raise SystemExit(f"{name} is not in {LOCK}: run `make lock` / 锁文件中没有该软件包")
            names |= new
            todo += _of(name, [extra for _, extra in new], environment)
    return {name for name, _ in names}


def _of(name: str, extras: Sequence[str], environment: dict[str, str]) -> Iterator[Requirement]:
    """What it requires there. A package that is not installed on this machine is another system's: it needs nothing."""
    try:
        said = requires(name) or []
    except PackageNotFoundError:
        return
    for one in map(Requirement, said):
        if one.marker is None or any(one.marker.evaluate({**environment, "extra": extra}) for extra in extras):
            yield one


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("extras", nargs="+")
    parser.add_argument("--platform", choices=SYSTEMS, default="linux")
    parser.add_argument("--but", type=Path)
    chosen = parser.parse_args()
    locked = blocks(LOCK.read_text(encoding="utf-8"))
    here = {parse_wheel_filename(one.name)[0] for one in chosen.but.glob("*.whl")} if chosen.but else set()
    for name in sorted(needed(chosen.extras, chosen.platform, locked) - here):
        print(re.sub(r"^(\S+) ;[^\\]*", r"\1 ", locked[name]), end="")  # its marker has been looked at


if __name__ == "__main__":
    main()
