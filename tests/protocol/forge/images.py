"""protocol/vectors/update/images.json: whole images, and what a terminal with two partitions says to each."""

import json
from dataclasses import replace
from typing import Any

import cbor2

from tests.protocol.forge.bundles import NEWEST, NOW_S, RUNNING, TAKEN, Forgery, Release, of, point_of

IMAGE = bytes(range(256)) * 34  # three blocks of 4 KiB, the last one in part


def images() -> str:
    """The file."""
    good = Release(image=IMAGE)
    here = {"board": "unix", "loader": 1, "newest": NEWEST, "application": RUNNING.hex(), "now_s": NOW_S}
    known = {"keys": [point_of(good.secret).hex()], "here": here, "vouched": 0}
    vectors: list[dict[str, Any]] = [
        {"comment": comment, **known, "bundle": one.bundle().hex(), "result": TAKEN}
        for comment, one in {
            "an image": good,
            "for the application that runs": replace(good, precursors=(RUNNING,)),
            "of whole blocks, the next number": replace(good, number=good.number + 1, image=IMAGE[:8192][::-1]),
            "and the one after that": replace(good, number=good.number + 2, image=IMAGE[:4097]),
        }.items()
    ]
    for case in _forgeries(good):
        data = cbor2.dumps([case.signed, case.payload])
        comment = f"{case.threat}: {case.comment}"
        vectors.append({"comment": comment, **known, "bundle": data.hex(), "result": case.refusal})
    lines = ",\n  ".join(json.dumps({"id": f"I-{at:03}", **one}) for at, one in enumerate(vectors, 1))
    about = "Whole images, and what a terminal with two partitions says to each: taken, or the refusal's name."
    return f'{{\n "about": {json.dumps(about)},\n "vectors": [\n  {lines}\n ]\n}}\n'


def _forgeries(good: Release) -> list[Forgery]:
    other = replace(good, image=IMAGE[::-1])
    return [
        of(replace(good, number=NEWEST), "IMG.EXPIRED", "stale", "an image that the terminal had"),
        of(replace(good, board="esp32s3"), "IMG.INCOMPATIBLE", "board", "for another board"),
        of(replace(good, precursors=(bytes(32),)), "UPD.WRONG_PRECURSOR", "precursor", "for another application"),
        of(replace(good, payload_bytes=2_097_153), "oversized", "size", "larger than any partition"),
        of(replace(good, payload_bytes=2_097_152), "oversized", "size", "larger than this partition"),
        Forgery("IMG.REPLACE", "file", good.signed(), other.payload(), "another image's bytes"),
        Forgery("IMG.EXTRA", "extra", good.signed(), good.payload() + b"\x00", "a byte behind its end"),
    ]
