"""Who is logged in, in memory: a restart logs everybody out. No I/O; time and randomness are handed in."""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from gateway.console.users import User

SESSIONS_MAX = 1_000  # a county's operators on several screens each; the one that ends first goes
TOKEN_BYTES = 32
COOKIE = "wattline_session"


class Session(NamedTuple):
    """A login. csrf: what a page must send along with each change."""

    user: User
    csrf: str
    until_s: float


class Sessions:
    """By token, of which only the digest is kept."""

    def __init__(self, lasts_s: float, steady_s: Callable[[], float], random_bytes: Callable[[int], bytes]) -> None:
        self._lasts_s, self._steady_s, self._random_bytes = lasts_s, steady_s, random_bytes
        self._by_digest: dict[bytes, Session] = {}

    def begin(self, user: User) -> tuple[str, Session]:
        """(token for the cookie, session)."""
        while len(self._by_digest) >= SESSIONS_MAX:
            del self._by_digest[min(self._by_digest, key=lambda one: self._by_digest[one].until_s)]
        token = self._random_bytes(TOKEN_BYTES).hex()
        session = Session(user, self._random_bytes(TOKEN_BYTES).hex(), self._steady_s() + self._lasts_s)
        self._by_digest[_digest(token)] = session
        return token, session

    def find(self, token: str | None) -> Session | None:
        """The session of a token, unless it has ended."""
        session = self._by_digest.get(_digest(token)) if token else None
        if session is not None and session.until_s <= self._steady_s():
            self.end(token)
            return None
        return session

    def end(self, token: str | None) -> None:
        """Log out."""
        if token:
            self._by_digest.pop(_digest(token), None)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
