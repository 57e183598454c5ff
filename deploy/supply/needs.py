"""What Wattline needs, directly or not, on a system: from what the installed packages say of themselves."""

from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires

from packaging.markers import default_environment
from packaging.requirements import Requirement

from deploy.supply.pins import normalized

PROJECT = "wattline"
SYSTEMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    "win32": {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
}


def needs(extras: Iterable[str], system: str = "linux") -> dict[str, set[str]]:
    """Each package that the project with these extras needs, itself among them, and what each needs directly.

    system: a key of SYSTEMS. A package that is not installed on this machine is another system's: it needs nothing.
    Bounded: each package is looked at once for each of its extras.
    """
    environment = {name: str(value) for name, value in default_environment().items()} | SYSTEMS[system]
    found: dict[str, set[str]] = {PROJECT: set()}
    todo = [(PROJECT, extra) for extra in ("", *extras)]
    seen = set(todo)
    while todo:
        package, extra = todo.pop()
        for one in _direct(package, {**environment, "extra": extra}):
            name = normalized(one.name)
            found.setdefault(name, set())
            if name != package:
                found[package].add(name)
            new = {(name, its) for its in ("", *one.extras)} - seen
            seen |= new
            todo += new
    return found


def _direct(package: str, environment: dict[str, str]) -> Iterator[Requirement]:
    try:
        said = requires(package) or []
    except PackageNotFoundError:
        return
    for one in map(Requirement, said):
        if one.marker is None or one.marker.evaluate(environment):
            yield one
