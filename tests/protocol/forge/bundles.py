"""protocol/vectors/update/bundles.json: releases, right and forged, and what a terminal says to each.

`Release` is what forgers work with, here and against the real terminal.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import cbor2

from tests.protocol.forge import p256

CONTENT_TYPE = "application/vnd.wattline.update+cbor"
TICKET_TYPE = "application/vnd.wattline.ticket+cbor"
NOW_S = 1_767_300_000
NEWEST = 1_767_225_600
FILES = {"profiles/meter.json": b"{}", "terminal/app.mpy": b"M\x06\x00\x1f" * 40}
RUNNING = hashlib.sha256(b"the application that runs").digest()
TAKEN = "taken"


def kid_of(point: bytes) -> bytes:
    """A key's id."""
    return hashlib.sha256(point).digest()[:8]


def point_of(secret: int) -> bytes:
    """A key's point."""
    return b"".join(one.to_bytes(32, "big") for one in p256.times(secret, p256.G) or ())


@dataclass(frozen=True)
class Release:
    """A release in the making; a forger replaces what he likes."""

    number: int = NEWEST + 86_400
    version: str = "0.2.0"
    board: str = "unix"
    loader: int = 1
    best_before_s: int = NOW_S + 86_400
    precursors: tuple[bytes, ...] = ()
    format: int = 1
    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    secret: int = p256.SECRET
    application: bytes | None = None  # what the manifest says instead of the index's digest
    index_bytes: int | None = None
    payload_bytes: int | None = None
    image: bytes | None = None  # a whole image, instead of the files

    def index(self) -> bytes:
        """Of the files as they are given."""
        return cbor2.dumps([[path, len(data), hashlib.sha256(data).digest()] for path, data in self.files.items()])

    def payload(self) -> bytes:
        """Index and files; or the image."""
        if self.image is not None:
            return self.image
        return self.index() + b"".join(self.files.values())

    def manifest(self) -> bytes:
        """What is signed."""
        index = self.index()
        if self.image is not None:
            return cbor2.dumps(
                [
                    2, self.number, self.version, self.board, self.loader, self.best_before_s, list(self.precursors),
                    self.application or hashlib.sha256(self.image).digest(), self.index_bytes or 0,
                    self.payload_bytes or len(self.image), 1,
                ]
            )  # fmt: skip
        return cbor2.dumps(
            [
                self.format, self.number, self.version, self.board, self.loader, self.best_before_s,
                list(self.precursors), self.application or hashlib.sha256(index).digest(),
                self.index_bytes or len(index), self.payload_bytes or len(self.payload()),
            ]
        )  # fmt: skip

    def signed(self, content_type: str = CONTENT_TYPE) -> bytes:
        """The manifest, signed."""
        return signed(self.secret, self.manifest(), content_type)

    def bundle(self) -> bytes:
        """The file."""
        return cbor2.dumps([self.signed(), self.payload()])


def signed(secret: int, payload: bytes, content_type: str = CONTENT_TYPE, algorithm: int = -7) -> bytes:
    """A COSE_Sign1."""
    header = cbor2.dumps({1: algorithm, 3: content_type, 4: kid_of(point_of(secret))})
    structure = cbor2.dumps(["Signature1", header, b"", payload])
    digest = int.from_bytes(hashlib.sha256(structure).digest(), "big")
    nonce = int.from_bytes(hashlib.sha256(b"nonce" + structure).digest(), "big")
    signature = b"".join(one.to_bytes(32, "big") for one in p256.sign(secret, digest, nonce))
    return cbor2.dumps(cbor2.CBORTag(18, [header, {}, payload, signature]))


@dataclass(frozen=True)
class Forgery:
    """A release that must not be taken: what the terminal is given, and the refusal's name."""

    threat: str  # RFC 9124's name, or what it is
    refusal: str
    signed: bytes
    payload: bytes
    comment: str
    vouched: int = 0
    here: dict[str, Any] = field(default_factory=dict)  # what is otherwise at the terminal


def of(one: Release, threat: str, refusal: str, comment: str, **others: Any) -> Forgery:
    """A release that is whole in itself."""
    return Forgery(threat, refusal, one.signed(), one.payload(), comment, **others)


def altered_file(release: Release) -> bytes:
    """A payload whose last file has another bit."""
    payload = bytearray(release.payload())
    payload[-1] ^= 1
    return bytes(payload)


def forgeries(good: Release) -> list[Forgery]:
    """Forged out of a release that would be taken: each of RFC 9124's threats to it, freeze, mix-and-match and more."""
    payload = good.payload()
    manifest = good.manifest()
    other = replace(good, number=good.number + 1, files={**good.files, "terminal/app.mpy": b"other" * 32})
    paths = {"../main.py": b"x", **good.files}
    short = replace(good, payload_bytes=len(payload) - 1)
    lying = Forgery("MFST.MODIFICATION", "signature", _replaced(good), payload, "a higher number, not signed again")
    return [
        of(replace(good, number=NEWEST), "IMG.EXPIRED", "stale", "a release that the terminal had"),
        of(replace(good, best_before_s=NOW_S), "IMG.EXPIRED", "expired", "its best-before has come"),
        of(good, "IMG.EXPIRED.OFFLINE", "no_time", "to a terminal that nobody told the time", here={"now_s": None}),
        of(replace(good, board="esp32s3"), "IMG.INCOMPATIBLE", "board", "for another board"),
        of(replace(good, loader=2), "IMG.INCOMPATIBLE", "loader", "for a newer loader"),
        of(replace(good, format=3), "IMG.FORMAT", "format", "in a newer format"),
        of(replace(good, files=paths), "IMG.LOCATION", "path", "a file above the application's folder"),
        Forgery("IMG.REPLACE", "file", good.signed(), altered_file(good), "a file altered on its way"),
        Forgery("IMG.NON_AUTH", "unsigned", cbor2.dumps(manifest), payload, "a manifest without a signature"),
        of(replace(good, secret=p256.SECRET + 1), "KEY.EXPOSURE", "key", "signed with a key of the forger's"),
        lying,
        of(replace(good, precursors=(bytes(32),)), "UPD.WRONG_PRECURSOR", "precursor", "for another application"),
        Forgery("IMG.EXTRA", "extra", good.signed(), payload + b"\x00", "a byte behind the last file"),
        of(good, "freeze", "superseded", "an older release while there is a newer one", vouched=good.number + 1),
        Forgery("mix-and-match", "index", good.signed(), other.payload(), "the files of a newer release"),
        Forgery("mix-and-match", "file", other.signed(), _mixed(other, good), "one file of an older release"),
        Forgery("IMG.EXTRA", "size", short.signed(), payload[:-1], "more files than its size says"),
        of(replace(good, payload_bytes=393_217), "oversized", "size", "larger than any application"),
        Forgery("truncated", "malformed", good.signed()[:-1], payload, "a manifest that is cut short"),
        of(replace(good, image=b"image" * 99), "IMG.INCOMPATIBLE", "no_image_slot", "an image, for a second partition"),
    ]


def _replaced(good: Release) -> bytes:
    data = good.signed()
    newer = replace(good, number=good.number + 1).manifest()
    return data.replace(good.manifest(), newer)


def _mixed(other: Release, good: Release) -> bytes:
    last = len(list(good.files.values())[-1])
    return other.payload()[:-last] + good.payload()[-last:]


def bundles() -> str:
    """The file."""
    good = Release()
    here = {"board": "unix", "loader": 1, "newest": NEWEST, "application": RUNNING.hex(), "now_s": NOW_S}
    known = {"keys": [point_of(good.secret).hex()], "here": here, "vouched": 0}
    vectors = []
    for comment, one in _right(good).items():
        vectors.append({"comment": comment, **known, "bundle": one.bundle().hex(), "result": TAKEN})
    cases = [*forgeries(good), *_more(good)]
    for case in cases:
        state = {**known, "here": {**here, **case.here}, "vouched": case.vouched}
        data = cbor2.dumps([case.signed, case.payload])
        vectors.append(
            {"comment": f"{case.threat}: {case.comment}", **state, "bundle": data.hex(), "result": case.refusal}
        )
    lines = ",\n  ".join(json.dumps({"id": f"B-{at:03}", **one}) for at, one in enumerate(vectors, 1))
    about = "Releases, and what a terminal says to each: taken, or the refusal's name."
    return f'{{\n "about": {json.dumps(about)},\n "vectors": [\n  {lines}\n ]\n}}\n'


def _right(good: Release) -> dict[str, Release]:
    return {
        "a release": good,
        "that may replace what runs": replace(good, precursors=(bytes(32), RUNNING)),
        "with a file of no bytes": replace(good, files={**good.files, "terminal/none.mpy": b""}),
        "with 160 files": replace(good, files={f"t/{n:03}": bytes(n // 159) for n in range(160)}),
        "the last second, the next number": replace(good, number=NEWEST + 1, best_before_s=NOW_S + 1),
    }


def _more(good: Release) -> list[Forgery]:
    """What concerns the form alone."""
    payload, manifest = good.payload(), good.manifest()
    made: list[tuple[str, str, Callable[[], bytes]]] = [
        ("unsigned", "another content type", lambda: good.signed(TICKET_TYPE)),
        ("unsigned", "another algorithm", lambda: signed(good.secret, manifest, algorithm=-35)),
        ("unsigned", "a COSE_Mac0", lambda: b"\xd1" + good.signed()[1:]),
        ("malformed", "a byte behind the signature", lambda: good.signed() + b"\x00"),
        ("malformed", "a manifest of nine items", lambda: signed(good.secret, b"\x89" + manifest[1:])),
        ("malformed", "a byte behind the manifest", lambda: signed(good.secret, manifest + b"\x00")),
        ("malformed", "a manifest that is no array", lambda: signed(good.secret, b"\xa0")),
        ("malformed", "a board without a name", lambda: replace(good, board="").signed()),
        ("malformed", "a version that is not ASCII", lambda: replace(good, version="0.2.0\u00b5").signed()),
        ("malformed", "nine precursors", lambda: replace(good, precursors=(RUNNING,) * 9).signed()),
        ("format", "an image with an index", lambda: replace(good, image=b"x", index_bytes=1).signed()),
        ("size", "number 0", lambda: replace(good, number=0).signed()),
        ("size", "an index of 12,289 bytes", lambda: replace(good, index_bytes=12_289).signed()),
    ]
    cases = [Forgery("form", refusal, make(), payload, comment) for refusal, comment, make in made]
    files = {
        "an absolute path": "/flash/key", "no folder": "main.py", "a hidden file": "terminal/.x", "a folder": "a/",
        "two folders": "a/b/c", "a blank": "a/b c", "a backslash": "a\\b/c",
    }  # fmt: skip
    cases += [of(replace(good, files={path: b"x"}), "IMG.LOCATION", "path", comment) for comment, path in files.items()]
    unordered = dict(reversed(good.files.items()))
    cases.append(of(replace(good, files=unordered), "form", "path", "files out of order"))
    return cases
