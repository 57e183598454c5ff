"""Updates of a terminal's application (UPDATES.md): what a release is, and whether a terminal takes it. No I/O.

    bundle    = [signed manifest, payload]        a release's file (host/bundle.py)
    manifest  = COSE_Sign1 (sign1.py) of content type CONTENT_TYPE
    payload   = index, then the content of the files in the index's order, without anything between
    index     = [[path, bytes, sha256], ...]      by path ascending; its SHA-256 names the application

Of a whole image (MicroPython itself, for a board with two partitions of it) the payload is the image, without an index.

The gateway hands the manifest over as it is (down.Offer) and the payload in pieces (down.Chunk).
"""

import hashlib
from collections import namedtuple

from protocol import cbor
from protocol.errors import FrameError
from protocol.sign1 import Signed

CONTENT_TYPE = "application/vnd.wattline.update+cbor"
FORMAT = 1
IMAGE_FORMAT = 2  # of images alone: terminals that take none but applications know the first
APPLICATION, IMAGE = 0, 1  # kinds
LOADER = 1  # what an application may ask of main.py and loader/, which no update replaces

FILES_MAX = 160  # an application has 80
INDEX_BYTES_MAX = 12288  # in the terminal's memory while a release comes; 80 files take 5,600
FILE_BYTES_MAX = 65536  # read in pieces; above every module that a board can load
PAYLOAD_BYTES_MAX = 393216  # three applications in a code partition of 1.5 MiB, by blocks of 4 KiB
IMAGE_BYTES_MAX = 2097152  # an OTA partition of a flash of 8 MiB; MicroPython for the ESP32-S3 has 1.7 MB
PRECURSORS_MAX = 8  # a manifest fits one frame
PATH_CHARS_MAX = 64  # a name of LittleFS and its folder
VERSION_CHARS_MAX = 32
BOARD_CHARS_MAX = 16
DIGEST_BYTES = 32
INDEX_NAME = "index"  # the file of an application's folder that is its index
KEYS_NAME = "update_keys.json"  # {"keys": ["128 hex digits", ...]}: the points of a terminal's release keys
KEYS_MAX = 4  # two people, and one key of each to come

# why a release is refused: the event update_refused tells it
MALFORMED = 1
UNSIGNED = 2
KEY = 3
SIGNATURE = 4
NEWER_FORMAT = 5
BOARD = 6
LOADER_TOO_OLD = 7
STALE = 8
SUPERSEDED = 9
EXPIRED = 10
NO_TIME = 11
PRECURSOR = 12
SIZE = 13
PATH = 14
INDEX = 15
FILE = 16
EXTRA = 17
CHANGED = 18
NOT_STORED = 19
ON_TRIAL = 20
NOT_HERE = 21
MEMORY = 22
NO_IMAGE_SLOT = 23

# code: (name, what is wrong and what to do next)
REFUSALS = {
    MALFORMED: ("malformed", "not the CBOR that UPDATES.md describes, or cut short: make the bundle anew"),
    UNSIGNED: ("unsigned", "no COSE_Sign1 with ES256 over an update's manifest: sign it with a release key"),
    KEY: ("key", "signed with a key that this terminal does not know"),
    SIGNATURE: ("signature", "the signature is not of this manifest: it was altered"),
    NEWER_FORMAT: ("format", "a format of the manifest that this terminal does not know: update in steps"),
    BOARD: ("board", "made for another board"),
    LOADER_TOO_OLD: ("loader", "needs a newer loader (main.py, loader/), which only a cable brings"),
    STALE: ("stale", "its number is not above the newest that this terminal had: number a release higher"),
    SUPERSEDED: ("superseded", "the gateway vouches for a newer release than this one"),
    EXPIRED: ("expired", "its best-before has passed: sign it again"),
    NO_TIME: ("no_time", "the terminal was not told the time by the gateway yet: offer it again later"),
    PRECURSOR: ("precursor", "it may not replace the application that runs: update in steps"),
    SIZE: ("size", "larger than its bounds, or than what is free for it"),
    PATH: ("path", "a file's path is not allowed"),
    INDEX: ("index", "the list of files is not the one that was signed: parts of two releases?"),
    FILE: ("file", "a file is not the one that was signed"),
    EXTRA: ("extra", "bytes behind the end of the release"),
    CHANGED: ("changed", "what was written reads back as something else"),
    NOT_STORED: ("not_stored", "the flash did not take it"),
    ON_TRIAL: ("on_trial", "the application that runs is itself on trial: wait for update_good"),
    NOT_HERE: ("not_here", "this terminal takes no updates: it has no release keys, or no place for them"),
    MEMORY: ("memory", "the terminal's heap is too small, or too full just now: offer it again after its next start"),
    NO_IMAGE_SLOT: ("no_image_slot", "this board has no second partition for an image: a cable brings it"),
}

# number: of the release, rises for ever; best_before_s: Unix s; precursors: applications that it may replace, () any;
# application: SHA-256 of the index; index_bytes, payload_bytes: the index's, the whole payload's; kind: APPLICATION,
# IMAGE. Of an image: application its SHA-256, index_bytes 0, precursors the applications that it runs
Manifest = namedtuple(
    "Manifest",
    (
        "number",
        "version",
        "board",
        "loader",
        "best_before_s",
        "precursors",
        "application",
        "index_bytes",
        "payload_bytes",
        "kind",
    ),
)
File = namedtuple("File", ("path", "bytes", "digest"))
# a terminal, to which a release is offered: newest: number that it had or was told of; application: digest or None;
# now_s: None unless the gateway told it; room_bytes: what a payload may have
Here = namedtuple("Here", ("board", "loader", "newest", "application", "now_s", "room_bytes"))


class UpdateError(Exception):
    """A release that is not taken. `refusal` is a key of REFUSALS."""

    def __init__(self, refusal: int, where: str = "") -> None:
        super().__init__(refusal, where)
        self.refusal = refusal
        self.where = where

    def __str__(self) -> str:
        name, words = REFUSALS[self.refusal]
        return "%s: %s%s" % (name, words, self.where and " (%s)" % self.where)


def encode_manifest(one: Manifest) -> bytes:
    """What is signed. Raises UpdateError if nobody would read it."""
    is_image = one.kind == IMAGE
    payload = cbor.array(
        [
            cbor.integer(IMAGE_FORMAT if is_image else FORMAT),
            cbor.integer(one.number),
            cbor.tstr(one.version),
            cbor.tstr(one.board),
            cbor.integer(one.loader),
            cbor.integer(one.best_before_s),
            cbor.array([cbor.bstr(each) for each in one.precursors]),
            cbor.bstr(one.application),
            cbor.integer(one.index_bytes),
            cbor.integer(one.payload_bytes),
        ]
        + ([cbor.integer(one.kind)] if is_image else [])
    )
    read_manifest(payload)
    return payload


def signed_of(data: bytes) -> Signed:
    """A manifest as it came, whose signature is to be verified before `read_manifest`. Raises UpdateError."""
    try:
        return Signed(data, CONTENT_TYPE)
    except FrameError as error:
        raise UpdateError(UNSIGNED if error.reason in ("tag", "header") else MALFORMED, error.reason)  # noqa: B904


def read_manifest(payload: bytes) -> Manifest:
    """What was signed. Raises UpdateError."""
    try:
        return _manifest(cbor.Reader(payload))
    except FrameError as error:
        raise UpdateError(MALFORMED, error.reason)  # noqa: B904  MicroPython has no chains


def refusal(one: Manifest, here: Here, vouched: int) -> int:
    """Why a terminal does not take a release; 0: it does. vouched: the newest number that the gateway vouches for."""
    if one.board != here.board:
        return BOARD
    if one.loader > here.loader:
        return LOADER_TOO_OLD
    if one.number <= here.newest:
        return STALE
    if one.number < vouched:
        return SUPERSEDED
    if here.now_s is None:
        return NO_TIME
    if here.now_s >= one.best_before_s:
        return EXPIRED
    if one.precursors and here.application not in one.precursors:
        return PRECURSOR
    return SIZE if one.payload_bytes > here.room_bytes else 0


def encode_index(files: "list[File]") -> bytes:
    """The list of files, which are given by path ascending."""
    return cbor.array(
        [cbor.array([cbor.tstr(one.path), cbor.integer(one.bytes), cbor.bstr(one.digest)]) for one in files]
    )


def check_index(index: bytes, manifest: Manifest) -> None:
    """Raises UpdateError unless it is the one that was signed, and right in itself."""
    if len(index) != manifest.index_bytes or hashlib.sha256(index).digest() != manifest.application:
        raise UpdateError(INDEX)
    total = len(index)
    before = ""
    for one in files_of(index):
        if one.path <= before:
            raise UpdateError(PATH, "%s after %s" % (one.path, before))
        before = one.path
        total += one.bytes
    if total != manifest.payload_bytes:
        raise UpdateError(SIZE, "%d bytes, not %d" % (total, manifest.payload_bytes))


def files_of(index: bytes):  # type: ignore[no-untyped-def]
    """Each File of an index, in order; an iterator. Raises UpdateError."""
    reader = cbor.Reader(index)
    try:
        for _ in range(reader.array(1, FILES_MAX)):
            reader.array(3, 3)
            path = reader.tstr(1, PATH_CHARS_MAX)
            if not is_path(path):
                raise UpdateError(PATH, path)
            size = reader.uint(FILE_BYTES_MAX)
            begin, end = reader.bstr(DIGEST_BYTES, DIGEST_BYTES)
            yield File(path, size, index[begin:end])
        reader.done()
    except FrameError as error:
        raise UpdateError(MALFORMED, error.reason)  # noqa: B904  MicroPython has no chains


def is_path(path: str) -> bool:
    """True for FOLDER/NAME, of letters, digits, `_`, `-` and `.`, neither beginning with a dot."""
    parts = path.split("/")
    return len(parts) == 2 and all(part and part[0] != "." and all(c in _PATH for c in part) for part in parts)


_PATH = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."


def _manifest(reader: cbor.Reader) -> Manifest:
    count = reader.array(1, 255)
    form = reader.uint(0xFFFFFFFF)
    if form not in (FORMAT, IMAGE_FORMAT):
        raise UpdateError(NEWER_FORMAT)
    if count != (10 if form == FORMAT else 11):
        raise reader.fail("count")
    number = reader.uint(0xFFFFFFFF)
    version = reader.tstr(1, VERSION_CHARS_MAX)
    board = reader.tstr(1, BOARD_CHARS_MAX)
    loader = reader.uint(0xFFFFFFFF)
    best_before_s = reader.uint(0xFFFFFFFF)
    precursors = tuple([_digest(reader) for _ in range(reader.array(0, PRECURSORS_MAX))])
    application = _digest(reader)
    index_bytes = reader.uint(0xFFFFFFFF)
    payload_bytes = reader.uint(0xFFFFFFFF)
    kind = APPLICATION if form == FORMAT else reader.uint(0xFFFFFFFF)
    reader.done()
    if form == IMAGE_FORMAT and (kind != IMAGE or index_bytes):
        raise UpdateError(NEWER_FORMAT)
    bytes_max = IMAGE_BYTES_MAX if kind == IMAGE else PAYLOAD_BYTES_MAX
    if number == 0 or not index_bytes <= INDEX_BYTES_MAX or not index_bytes < payload_bytes <= bytes_max:
        raise UpdateError(SIZE)
    return Manifest(
        number, version, board, loader, best_before_s, precursors, application, index_bytes, payload_bytes, kind
    )


def _digest(reader: cbor.Reader) -> bytes:
    begin, end = reader.bstr(DIGEST_BYTES, DIGEST_BYTES)
    return reader.data[begin:end]
