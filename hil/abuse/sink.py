"""What a sink of the campaign is."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from hil.abuse.load import Truth
from hil.abuse.verdict import Name
from hil.disk import Disk
from hil.link import Link


class Victim(Protocol):
    """A sink's server, or folder."""

    @property
    def name(self) -> str:
        """In gateway.toml."""

    @property
    def link(self) -> Link | None:
        """What lies between the gateway and it; None: it is no server."""

    @property
    def disk(self) -> Disk | None:
        """What the gateway writes to; None: it is a server."""

    @property
    def port(self) -> int | None:
        """Where its server listens itself, past the link; None: it is no server."""

    @property
    def copies_of_refeed(self) -> int:
        """How often more a refeed lets it be told the same, which it counts once by its own rule."""

    @property
    def sees_put_back(self) -> bool:
        """Whether the gateway sees by itself that it was put back."""

    @property
    def forgets(self) -> bool:
        """Whether a kill costs what it has acknowledged: then it is fed again, as an operator would."""

    def section(self) -> str:
        """Its [[sink]] of gateway.toml."""

    def start(self) -> None:
        """It works, or works again."""

    def stop(self) -> None:
        """It ends as a service is stopped."""

    def kill(self) -> None:
        """It is gone at once."""

    def keep(self, to: Path) -> None:
        """Copy its state, while it does not run."""

    def put_back(self, kept: Path) -> None:
        """Its state is that copy, while it does not run."""

    def expected(self, made: Iterable[Truth]) -> Mapping[Name, Any]:
        """What it is to hold of these windows."""

    def held(self) -> Iterable[tuple[Name, Any]]:
        """What it holds, as often as it counts there."""

    def close(self) -> None:
        """End everything of it."""
