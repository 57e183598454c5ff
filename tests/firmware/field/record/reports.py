"""A commissioning report, made up."""

import hashlib
from typing import Any

DIGEST = "0f1e2d3c" * 8


def point(number: int) -> dict[str, Any]:
    return {
        "number": number,
        "name": "furnace <1> 电弧炉",
        "kind": "production",
        "rated_power_w": 2_500_000,
        "ct_ratio": 400,
        "pt_ratio": 100,
        "meter": {"profile": "dlt645_3p", "address": "202603010012", "serial": 202603010012, "circuit": 2},
        "baseline": {"p_w": 1_234_567, "ua_dv": 2312, "ub_dv": 2299, "ia_ma": 123_400, "pf_milli": 912},
        "wiring": "cannot_tell",
    }


def report(points: int = 4) -> dict[str, Any]:
    finding = {"code": "x", "en": "a long finding " * 20, "zh": "很长", "advice_en": "", "advice_zh": ""}
    steps = ("identify", "flash", "install", "provision", "scan", "live", "check-wiring", "test")
    return {
        "terminal": "T0001",
        "enterprise": {"id": "E0001", "name": "First & steelworks"},
        "place": "workshop 2",
        "technician": "li.wei",
        "began": "2026-03-01T08:00:00Z",
        "ended": "2026-03-01T08:09:30Z",
        "enrolment": hashlib.sha256(b"an enrolment").hexdigest(),
        "board": {"kind": "esp32s3", "uid": "f412fa3b5c10", "micropython": "1.25.0", "firmware": "0.1.0"},
        "first_record": {"epoch": 0x1A2B3C4D, "seq": 7},
        "points": [point(number) for number in range(1, points + 1)],
        "steps": [
            {"step": one, "state": "passed", "ended": "2026-03-01T08:05:00Z", "findings": [finding]} for one in steps
        ],
        "photos": [{"name": f"IMG_{at}.jpg", "sha256": hashlib.sha256(b"a photo").hexdigest()} for at in range(9)],
        "note": "seal 00731",
    }
