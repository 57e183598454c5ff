"""Verify and decode frames of 9 points: cext against hmac + cbor2, and against cbor2 alone."""

import hmac
import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import cbor2

from cext import decoder
from hil.benchmarks import realistic
from hil.benchmarks.result import Bar, Chart, Figure, Options, Result
from hil.benchmarks.timing import Samples, interleave
from protocol import frame, limits, mac, record

POINTS = 9  # of a terminal, on average: 60,414 points, 7,056 terminals
BATCH = 256  # about what arrives between two commits
OTHER_BATCHES = (1, 16, 7056)  # a frame alone, a trickle, a quarter hour's burst
HEAD_BYTES = 13  # before the payload, of a frame whose payload has 256 bytes or more
TAIL_BYTES = 34  # the tag and its head
CBOR2 = f"cbor2 {version('cbor2')}"
HMAC_CBOR2 = f"hmac ({ssl.OPENSSL_VERSION.rsplit(' ', 3)[0]}) + {CBOR2}"
NOTES = [
    f"Frames of one window of {POINTS} three-phase points, each of its own terminal and key.",
    f"SHA-256 in cext: {decoder.SHA256_IMPLEMENTATION}.",
    "The peer is helped: it knows where payload and tag are, what precedes the payload in the MAC is prepared for it.",
    "Its result is dropped at once, and the garbage collector is off. It checks nothing of what it decodes.",
    "cext gives columns, 20 values a reading; every length, type, bound and form is checked.",
    "With digests: also SHA-256 of each record.",
]


@dataclass(frozen=True)
class Batch:
    """The same frames for everybody."""

    frames: list[bytes]
    payloads: list[bytes]
    terminals: list[str]
    secrets: list[bytes]
    prefixes: list[bytes]  # of the MAC_structure, up to the payload
    keys: list[dict[int, decoder.KeyState]]


def batch_of(count: int, seed: int) -> Batch:
    """`count` terminals' frames of one window each."""
    rnd = random.Random(seed)
    terminals = [f"T{number:05}" for number in range(count)]
    secrets = [rnd.randbytes(mac.KEY_BYTES) for _ in terminals]
    frames = []
    for terminal, secret in zip(terminals, secrets, strict=True):
        raw = record.encode_window(20_000, realistic.window(rnd, POINTS))
        frames.append(frame.seal_frame(mac.Key(secret, 1), terminal, 0xDEADBEEF, 12, 400_000_123, [raw]))
    aads = [mac.external_aad(terminal, limits.UP, limits.VERSION) for terminal in terminals]
    header = frames[0][2:9]
    return Batch(
        frames,
        [data[HEAD_BYTES:-TAIL_BYTES] for data in frames],
        terminals,
        secrets,
        [b"\x84\x64MAC0" + header + cbor2.dumps(aad) for aad in aads],
        [{1: decoder.KeyState(secret)} for secret in secrets],
    )


def contenders(batch: Batch) -> dict[str, Callable[[], object]]:
    """Name to work on the whole batch."""
    b = batch
    claimed = (b.frames, b.terminals, b.keys)

    def hmac_cbor2() -> None:
        loads, digest, same = cbor2.loads, hmac.digest, hmac.compare_digest
        for data, secret, prefix in zip(b.frames, b.secrets, b.prefixes, strict=True):
            if not same(digest(secret, prefix + data[10:-TAIL_BYTES], "sha256"), data[-32:]):
                raise ValueError("a tag is wrong")
            loads(data[HEAD_BYTES:-TAIL_BYTES])

    def cbor2_alone() -> None:
        loads = cbor2.loads
        for payload in b.payloads:
            loads(payload)

    return {
        "hmac_cbor2": hmac_cbor2,
        "cbor2": cbor2_alone,
        "columns": lambda: decoder.decode_columns(*claimed),
        "digests": lambda: decoder.decode_columns(*claimed, digests=True),
        "payloads": lambda: decoder.decode_payloads(b.payloads),
        "tuples": lambda: decoder.decode_batch(*claimed),
    }


def check(batch: Batch) -> None:
    """What is measured is the same work, and it succeeds."""
    verified = decoder.decode_columns(batch.frames, batch.terminals, batch.keys)
    alone = decoder.decode_payloads(batch.payloads)
    theirs = [len(cbor2.loads(payload)[4][0][2][8]) for payload in batch.payloads]
    if any(verified.frames.reason) or any(alone.frames.reason) or len(verified.slots) != sum(theirs):
        raise RuntimeError("the contenders do not agree about the frames")


def measure(options: Options) -> Result:
    """See the module."""
    batch = batch_of(BATCH, options.seed)
    check(batch)
    ns = interleave(contenders(batch), options.rounds, BATCH)
    verified = ns["hmac_cbor2"].over(ns["columns"])
    decoded = ns["cbor2"].over(ns["payloads"])
    figures = [
        _ratio("decode.ratio_hmac_cbor2", verified, HMAC_CBOR2, "at least 10"),
        _ratio("decode.ratio_cbor2", decoded, CBOR2, "at least 15"),
        _ratio("decode.ratio_hmac_cbor2_with_digests", ns["hmac_cbor2"].over(ns["digests"]), HMAC_CBOR2),
        Figure("decode.frames_per_s", round(1e9 / ns["digests"].median), "frames/s", 0, "", "at least 100,000"),
        *(_cost(f"decode.{name}_ns", ns[name]) for name in ("columns", "digests", "payloads", "tuples")),
        _cost("decode.hmac_cbor2_ns", ns["hmac_cbor2"], HMAC_CBOR2),
        _cost("decode.cbor2_ns", ns["cbor2"], CBOR2),
    ]
    by_batch = _ratios_by_batch(options, {BATCH: (verified, decoded)})
    charts = [
        Chart("Verify and decode, by frames a call", f"times {HMAC_CBOR2}", [bar for bar, _ in by_batch], line=10),
        Chart("Decode alone, by frames a call", f"times {CBOR2}", [bar for _, bar in by_batch], line=15),
        Chart(
            f"CPU time a frame, batches of {BATCH}",
            "ns",
            [
                Bar(HMAC_CBOR2, ns["hmac_cbor2"].median),
                Bar("cext, verify and decode to tuples", ns["tuples"].median, ours=True),
                Bar("cext, verify and decode, with digests", ns["digests"].median, ours=True),
                Bar("cext, verify and decode", ns["columns"].median, ours=True),
                Bar(f"{CBOR2}, decode alone", ns["cbor2"].median),
                Bar("cext, decode alone", ns["payloads"].median, ours=True),
            ],
        ),
    ]
    return Result(figures, charts, notes=NOTES)


def _ratios_by_batch(options: Options, known: dict[int, tuple[Samples, Samples]]) -> list[tuple[Bar, Bar]]:
    """(verify and decode, decode alone) for each size of batch."""
    ratios = dict(known)
    for size in OTHER_BATCHES:
        ns = interleave(contenders(batch_of(size, options.seed)), max(options.rounds // 4, 2), size)
        ratios[size] = (ns["hmac_cbor2"].over(ns["columns"]), ns["cbor2"].over(ns["payloads"]))
    return [
        (Bar(str(size), verified.median, ours=True), Bar(str(size), decoded.median, ours=True))
        for size, (verified, decoded) in sorted(ratios.items())
    ]


def _ratio(name: str, samples: Samples, peer: str, goal: str = "") -> Figure:
    return Figure(name, round(samples.median, 2), "ratio", round(samples.spread, 2), peer, goal)


def _cost(name: str, samples: Samples, peer: str = "") -> Figure:
    return Figure(name, round(samples.median), "ns/frame", round(samples.spread), peer)
