"""S-20: no key or password of the suite stands in what its tests leave behind, but where keys belong.

A pytest plugin, by conftest.py. While the tests run it notes the keys and passwords that go through the code; then it
looks for each, in every form that people and programs write bytes in, through all files below the tests' temporary
folder and all that tests said: logs, reports, labels, tracebacks, stores, cores. With workers of xdist it is done once,
at the end, for the keys of all: what is found does not depend on which tests came to one worker.
"""

import base64
import hashlib
import mmap
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from gateway import files
from protocol import mac
from protocol.host import sealing
from tests import failures

SECRETS_MAX = 20_000  # noted, the first that come: tests that draw keys by the thousand need not fill the memory
SAID_BYTES_MAX = 64 << 20  # of what tests said, as of one file: more is a measurement, not a log
PASSWORD_CHARS_MIN = 8  # shorter ones stand everywhere by chance, as do keys of few different bytes, raw or as numbers
VALUES_MIN = 8
SHOWN_MAX = 20
PIECE_BYTES = 4 << 20  # looked at together: six times that is in memory
HEAD = 3  # bytes by which a place is chosen before it is compared
# Where a key belongs: its own file (ours, the broker's, a certificate's), a terminal's flash, the store of
# keys that were agreed on, and what a test writes to try just that. Nothing here is a log, a report or a label.
HOMES = (
    *("*.hex", "*.key", "*.password", "*.secret", "*.passwd", "password", "passphrase", "secret"),
    *("key", "key_next", "*.img", "rotation.sqlite3*"),  # images: of terminals' flash
    *("protocol/vectors/*.json", "*.deb"),  # everybody's, in a copy of this checkout, or in a package of it
)
INSTALLED = "site-packages"  # a copy of this checkout, too


class Found(NamedTuple):
    """A secret where it does not belong."""

    what: str
    form: str
    where: str

    def __str__(self) -> str:
        return f"{self.what}, as {self.form}: {self.where}"


def forms_of(secret: bytes, *, is_text: bool) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of each form that is looked for."""
    if is_text or len(set(secret)) >= VALUES_MIN:
        yield "it is", secret
    if is_text:
        return
    for text in (secret.hex(), secret.hex().upper(), secret.hex(" "), secret.hex(":")):
        yield "hex", text.encode()
    for shift in range(3):  # inside of something longer that is in base64: the digits that are the key's alone
        whole = base64.b64encode(bytes(shift) + secret)
        text_ = whole[(shift * 8 + 5) // 6 : (shift + len(secret)) * 8 // 6]
        yield "base64", text_
        yield "base64 for addresses", text_.translate(bytes.maketrans(b"+/", b"-_"))
    yield "base32", base64.b32encode(secret)[: len(secret) * 8 // 5]
    if len(set(secret)) >= VALUES_MIN:
        for between in (", ", ",", " "):
            yield "numbers", between.join(map(str, secret)).encode()
        yield "Python writes it", repr(secret)[2:-1].encode()


class Search:
    """Secrets, and where they are not to be found."""

    def __init__(self, secrets: Iterable[tuple[bytes, str]]) -> None:
        """secrets: each with what it is; a text if that begins with "password"."""
        self._forms: dict[bytes, list[tuple[bytes, str, str]]] = {}
        self._heads = np.zeros(1 << 8 * HEAD, dtype=bool)
        for secret, what in secrets:
            name = f"{what} (SHA-256 {hashlib.sha256(secret).hexdigest()[:8]}...)"
            for form, text in forms_of(secret, is_text=what.startswith("password")):
                self._forms.setdefault(text[:PASSWORD_CHARS_MIN], []).append((text, name, form))
                self._heads[int.from_bytes(text[:HEAD], "little")] = True

    def through(self, data: bytes | mmap.mmap, where: str) -> Iterator[Found]:
        """What of them is there, each once."""
        seen = set()
        for start in range(0, max(0, len(data) - HEAD + 1), PIECE_BYTES):
            for at in self._places(data, start):
                for text, name, form in self._forms.get(bytes(data[at : at + PASSWORD_CHARS_MIN]), ()):
                    if data[at : at + len(text)] == text and (name, form) not in seen:
                        seen.add((name, form))
                        yield Found(name, form, f"{where}, byte {at}")

    def _places(self, data: bytes | mmap.mmap, start: int) -> list[int]:
        """Where a form may begin, in the piece from there on."""
        count = min(PIECE_BYTES + HEAD - 1, len(data) - start)
        values = np.frombuffer(data, dtype=np.uint8, count=count, offset=start)
        heads = values[:-2].astype(np.uint32)
        heads |= values[1:-1].astype(np.uint32) << 8
        heads |= values[2:].astype(np.uint32) << 16
        found: list[int] = (np.flatnonzero(self._heads[heads]) + start).tolist()
        return found

    def below(self, folder: Path) -> Iterator[Found]:
        """Through every file that is none of their homes."""
        for path in sorted(folder.rglob("*")):
            yield from self.within(path)

    def within(self, path: Path) -> Iterator[Found]:
        """Through this file, if it is one, and no home."""
        with suppress(FileNotFoundError, PermissionError):  # of a process that ends just now; shut by its test
            if path.is_symlink() or not path.is_file() or not path.stat().st_size or _is_home(path):
                return
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                yield from self.through(data, str(path))


def _is_home(path: Path) -> bool:
    """Whether keys belong into this file, or it is one that everybody has."""
    return INSTALLED in path.parts or any(map(path.match, HOMES))


class Notes:
    """What goes through the code while tests run."""

    def __init__(self) -> None:
        self.secrets: dict[bytes, str] = {}

    def add(self, secret: bytes, what: str) -> None:
        """One more; not one that stands everywhere: mostly zeros, or as erased flash, or bytes that count up."""
        counted = bytes((secret[0] + n) & 0xFF for n in range(len(secret))) if secret else b""
        is_common = len(set(secret.hex())) == 1 or secret == counted
        is_common |= max(secret.count(0), secret.count(0xFF)) * 2 > len(secret)
        if len(self.secrets) < SECRETS_MAX and len(secret) >= PASSWORD_CHARS_MIN and not is_common:
            self.secrets.setdefault(secret, what)

    def add_keys(self, text: bytes) -> None:
        """What the file of a secret held, if that is keys in hex."""
        for word in text.split():
            if re.fullmatch(rb"[0-9A-Fa-f]{64}", word):
                self.add(bytes.fromhex(word.decode("ascii")), "key of a file")

    def watch(self) -> None:
        """From now on note what these are called with, or give back."""
        made, opened, told, sealed = mac.Key.__init__, files.read_secret, files.read_password, sealing.seal

        def make(key: mac.Key, secret: bytes, generation: int) -> None:
            made(key, secret, generation)
            self.add(bytes(secret), "key of frames")

        def open_(*args: Any, **more: Any) -> bytes:
            found = opened(*args, **more)
            self.add_keys(found)
            return found

        def tell(*args: Any, **more: Any) -> str | None:
            found = told(*args, **more)
            self.add((found or "").encode(), "password of a file")
            return found

        def seal(secret: bytes, *args: Any) -> bytes:
            self.add(bytes(secret), "key on its way")
            return sealed(secret, *args)

        for owner, name, call in (
            (mac.Key, "__init__", make), (files, "read_secret", open_), (files, "read_password", tell),
            (sealing, "seal", seal),
        ):  # fmt: skip
            setattr(owner, name, call)


class Leaks:
    """The plugin."""

    def __init__(self, notes: Notes, folder: Callable[[], Path | None]) -> None:
        """folder: in which this process's tests leave what they make; None: it ran none."""
        self._notes, self._folder = notes, folder
        self._said = bytearray()
        self._found: list[str] = []
        self._summary = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """What a test said, and how it failed."""
        texts = [text for _, text in report.sections] + [report.longreprtext]
        if len(self._said) < SAID_BYTES_MAX:
            self._said += "\n".join(texts).encode("utf-8", "backslashreplace")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """What a worker noted, and the folder that all of them share; nothing of one that crashed or had no test."""
        noted = getattr(node, "workeroutput", {}).get("noted")
        if noted is not None:
            secrets, shared = noted
            self._notes.secrets |= secrets
            self._folder = lambda: Path(shared)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Look; a worker leaves that to its controller."""
        folder = self._folder()
        if folder is None:
            return
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["noted"] = (self._notes.secrets, str(folder.parent))
            return
        begun_s = time.process_time()
        search = Search(self._notes.secrets.items())
        self._found += map(str, [*search.through(bytes(self._said), "what tests said"), *search.below(folder)])
        took = f"{time.process_time() - begun_s:.1f} s"
        self._summary = f"{len(self._notes.secrets)} keys and passwords looked for in {took}"
        if self._found:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """S-20, in words."""
        if self._found:
            terminalreporter.section(f"S-20: {len(self._found)} keys where they do not belong")
            for one in self._found[:SHOWN_MAX]:
                terminalreporter.line(one)
            failures.tell(f"S-20: {one}" for one in self._found[:SHOWN_MAX])
        if self._summary and terminalreporter.verbosity >= 0:
            terminalreporter.line(f"S-20: {self._summary}")


NOTES = Notes()
