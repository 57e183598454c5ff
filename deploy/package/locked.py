"""The part of requirements.lock that some extras of wattline need, for `pip --require-hashes`.

`python -m deploy.package.locked EXTRA... [--platform win32] [--but FOLDER]`; without what FOLDER has a wheel of.
So what is shipped has the versions and hashes that everything was tested with.
"""

import argparse
import re
from pathlib import Path

from packaging.utils import parse_wheel_filename

from deploy.supply.needs import PROJECT, SYSTEMS, needs
from deploy.supply.pins import LOCK, normalized


def blocks(text: str) -> dict[str, str]:
    """Package by package what the lock says of it, under its normalized name."""
    found = re.split(r"(?m)^(?=[A-Za-z0-9])", text)[1:]
    return {normalized(re.split(r"[=\[; ]", one, maxsplit=1)[0]): one for one in found}


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("extras", nargs="+")
    parser.add_argument("--platform", choices=SYSTEMS, default="linux")
    parser.add_argument("--but", type=Path)
    chosen = parser.parse_args()
    locked = blocks(LOCK.read_text(encoding="utf-8"))
    here = {parse_wheel_filename(one.name)[0] for one in chosen.but.glob("*.whl")} if chosen.but else set()
    for name in sorted(needs(chosen.extras, chosen.platform).keys() - here - {PROJECT}):
        if name not in locked:
            raise SystemExit(f"{name} is not in {LOCK}: run `make lock` / 锁文件中没有该软件包")
        print(re.sub(r"^(\S+) ;[^\\]*", r"\1 ", locked[name]), end="")  # its marker has been looked at


if __name__ == "__main__":
    main()
