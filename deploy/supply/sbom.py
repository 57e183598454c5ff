"""The software bill of materials: what Wattline's wheel and Debian package bring with them. CycloneDX 1.6, JSON.

    python -m deploy.supply.sbom build/dist/wattline.cdx.json

The same commit gives the same bytes: versions and hashes are the lock file's, the time is the commit's.
What is named: every Python package that any extra a user installs needs, directly or not, and the scripts that the
console carries. What is not: the system's own Python and libraries; MicroPython and its port, which come from the
board's maker or Debian and are named, with their hashes, in deploy/setup/micropython.sh; what only builds and tests
Wattline.
"""

import argparse
import hashlib
import re
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from deploy.supply.needs import PROJECT, needs
from deploy.supply.pins import LOCK, Pin, pins_of
from protocol.host import program

ROOT = Path(__file__).parents[2]
SHIPPED_EXTRAS = ("modbus", "field", "hil", "export", "postgres", "nats", "console", "oidc")
VENDOR = ROOT / "gateway" / "console" / "static" / "vendor"
_TEXT_MAX = 200  # of a licence's name


def bill() -> Bom:
    """The bill of this checkout, as installed in this environment. Raises ValueError for what the lock does not pin."""
    pinned = {pin.name: pin for pin in pins_of(LOCK)}
    needed = needs(SHIPPED_EXTRAS)
    direct = needed.pop(PROJECT)
    missing = sorted(needed.keys() - pinned.keys())
    if missing:
        raise ValueError(f"{LOCK}: not pinned: {', '.join(missing)}: run make lock")
    this = program.this()
    root = Component(
        name=PROJECT,
        version=this.version,
        type=ComponentType.APPLICATION,
        bom_ref=PROJECT,
        licenses=[LicenseExpression("Apache-2.0")],
        purl=PackageURL("pypi", name=PROJECT, version=this.version),
        description=f"commit {this.commit}",
    )
    parts = {name: _package(pinned[name]) for name in sorted(needed)}
    scripts = [_script(path) for path in sorted(VENDOR.glob("*.js"))]
    found = Bom(components=[*parts.values(), *scripts], metadata=BomMetaData(component=root))
    found.metadata.timestamp = datetime.fromtimestamp(program.built_s() or 0, UTC)
    found.serial_number = uuid5(NAMESPACE_URL, f"wattline:{this.version}:{this.commit}")
    found.register_dependency(root, [*(parts[name] for name in sorted(direct)), *scripts])
    for name, part in parts.items():
        found.register_dependency(part, [parts[one] for one in sorted(needed[name])])
    return found


def written(found: Bom) -> str:
    """The bill as JSON, the same for the same bill."""
    return JsonV1Dot6(found).output_as_string(indent=1) + "\n"


def _package(pin: Pin) -> Component:
    found = Component(
        name=pin.name,
        version=pin.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{pin.name}=={pin.version}",
        purl=PackageURL("pypi", name=pin.name, version=pin.version),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in pin.hashes],
    )
    if licence := _licence(pin.name):
        found.licenses.add(DisjunctiveLicense(name=licence))
    return found


def _licence(name: str) -> str:
    """What a package says of its licence, in one line; empty where it says nothing."""
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return ""
    classified = [one.rpartition(" :: ")[2] for one in about.get_all("Classifier", []) if one.startswith("License ::")]
    expression, text = (about.get_all(key, [""])[0] for key in ("License-Expression", "License"))
    file = about.get_all("License-File", [""])[0]
    said = [expression, "; ".join(classified), text.partition("\n")[0], file and f"see its {file}"]
    return next(filter(None, said), "")[:_TEXT_MAX]


def _script(path: Path) -> Component:
    """A script of others that is in the tree: its first line says which. Raises ValueError where it does not."""
    data = path.read_bytes()
    head = re.match(rb"/\*! https://github\.com/(?P<who>[\w.-]+)/(?P<name>[\w.-]+) \(v(?P<version>[0-9.]+)\)", data)
    if head is None:
        raise ValueError(f"{path}: its first line names no origin and version: a bill of materials needs both")
    who, name, version = (head[key].decode() for key in ("who", "name", "version"))
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{name}=={version}",
        purl=PackageURL("github", namespace=who.lower(), name=name.lower(), version=version),
        licenses=[DisjunctiveLicense(id="MIT")],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(data).hexdigest())],
    )


def main() -> int:
    """Write the bill to the path that is given."""
    parser = argparse.ArgumentParser(
        description="write the software bill of materials / 生成软件物料清单 (CycloneDX 1.6)"
    )
    parser.add_argument("path", type=Path, help="e.g. build/dist/wattline.cdx.json")
    path: Path = parser.parse_args().path
    found = bill()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(written(found), encoding="utf-8")
    print(f"[sbom] {len(found.components)} components / 个组件 -> {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
