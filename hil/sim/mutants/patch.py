"""How a function is broken on purpose, for the time of a run."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple


class Patch(NamedTuple):
    """What stands under `name` in `owner` (a module or a class) is replaced by what `make` makes of it."""

    owner: object
    name: str
    make: Callable[[Any], Any]


@contextmanager
def applied(patches: Iterable[Patch]) -> Iterator[None]:
    """The patches, in this process, until the end; a name that is not there is an AttributeError."""
    before = [(one, getattr(one.owner, one.name)) for one in patches]
    for one, honest in before:
        setattr(one.owner, one.name, one.make(honest))
    try:
        yield
    finally:
        for one, honest in before:
            setattr(one.owner, one.name, honest)
