"""The specification's example and its list of reasons, held against what another implementation would have: bytes."""

import hashlib
import hmac
import re
from pathlib import Path

from protocol import frame, mac
from protocol.errors import REASONS
from protocol.record import Window

SPEC = (Path(__file__).resolve().parents[2] / "protocol/SPEC.md").read_text(encoding="utf-8")
KEY = bytes(range(32))


def _example() -> bytes:
    """The hex of the block that begins the section; words of the right column begin after three blanks."""
    block = SPEC.partition("## 9. ")[2].partition("```\n")[2].partition("```")[0]
    lines = [re.split(r"\s{3,}(?![0-9a-f]{2} )", line.strip(), maxsplit=1)[0] for line in block.splitlines()]
    return bytes.fromhex(" ".join(lines))


def test_the_example_is_a_frame_and_says_what_stands_beside_it() -> None:
    """P-394"""
    data = _example()
    found = frame.open_frame(data, "T0001", {1: mac.Key(KEY, 1)})
    assert (found.epoch, found.boot_id, found.sent_ms) == (0x1A2B3C4D, 0x01020304, 86_400_123)
    (record,) = found.records
    assert record.seq == 41
    assert isinstance(record.body, Window)
    reading, silent = record.body.readings
    assert (reading.p_mean_w, reading.p_min_w, reading.p_max_w, reading.e_import_wh) == (4000, 3500, 4500, 1_000_000)
    assert (reading.ua_dv, reading.ub_dv, reading.uc_dv, reading.pf_milli) == (2301, 2299, 2305, 950)
    assert (reading.ia_ma, reading.ib_ma, reading.ic_ma, silent) == (6100, 6000, 6200, 1)


def test_the_examples_tag_is_what_its_text_says_with_the_standard_library_alone() -> None:
    """P-394"""
    data = _example()
    payload, tag = data[10:-34], data[-32:]
    said = bytes.fromhex("8464 4d414330 46a20105044101 49836554303030310001") + payload
    assert hmac.new(KEY, said, hashlib.sha256).digest() == tag


def test_each_reason_stands_in_the_specification_with_its_verdict() -> None:
    """P-394"""
    listed = dict(re.findall(r"^\| `(\w+)` \| (\w+) \| [^|]+ \| [^|]+ \|$", SPEC, re.MULTILINE))
    assert listed == {reason: verdict for reason, (verdict, _) in REASONS.items()}
