"""What a route of the API is: declared once, checked, answered and documented from the same declaration."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from gateway.console.house import House
from gateway.console.users import Role, User

ID_DIGITS_MAX = 18  # of SQLite's 64 bits
BODY_BYTES_MAX = 64 * 1024  # a note of 2,000 characters, a list of a few thousand ids


class Call(NamedTuple):
    """A request that was admitted. path: the route's {names}; asked: the query, or the body of a change."""

    house: House
    user: User
    path: dict[str, str]
    asked: Any


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing is asked."""


class Done(msgspec.Struct, frozen=True):
    """A change was made."""

    done: bool = True


class RefusedError(Exception):
    """The answer is no: `status`, a `code` for programs, and why in English and Chinese."""

    def __init__(self, status: int, code: str, en: str, zh: str) -> None:
        super().__init__(f"{code}: {en}")
        self.status, self.code, self.en, self.zh = status, code, en, zh


def not_found(what: str) -> RefusedError:
    """404."""
    return RefusedError(404, "not_found", f"{what}: there is none", f"{what}：不存在")


def number_of(text: str) -> int:
    """A number in a path, that SQLite can take for an id. Raises RefusedError (404)."""
    if not (text.isascii() and text.isdigit() and len(text) <= ID_DIGITS_MAX):
        raise not_found(text)
    return int(text)


@dataclass(frozen=True)
class Route:
    """METHOD path, who may call it, and what it does. asks: of the query (GET) or the body; gives: of the answer.

    answer: called in a thread of its own with a Call. It may raise RefusedError; StoreUnavailableError is a 503.
    body_bytes_max: of what it asks; more is a 413.
    """

    method: str
    path: str
    role: Role
    summary: str
    asks: type[msgspec.Struct]
    gives: Any
    answer: Callable[[Call], Any]
    body_bytes_max: int = BODY_BYTES_MAX

    @property
    def is_change(self) -> bool:
        """Whether it changes something: then it needs the session's CSRF token, and is written into the audit log."""
        return self.method != "GET"
