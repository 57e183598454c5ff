"""The checks that look while a run goes on: what they see, and how they say it."""

import re
from typing import Any

import pytest
from terminal import uplink

from hil.sim import fuzz, plan

SILENT_GATEWAY = plan.Trouble("gateway_kill", 1_000_000, 4_000_000, 0)


def test_a_violation_that_heals_before_the_end_ends_the_run_in_its_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """P-190: a terminal that frees at the broker's PUBACK loses nothing in the end, for the gateway asks for it."""
    honest = uplink.Uplink.pubacked

    def free(self: Any, stamp: int) -> None:
        seq = self.last_of(stamp)
        honest(self, stamp)
        self._log.acknowledge(((seq, seq),))

    monkeypatch.setattr(uplink.Uplink, "pubacked", free)
    failed = fuzz.run(2, [SILENT_GATEWAY])
    (finding,) = failed.findings
    assert (finding.invariant, finding.code) == (1, "freed_too_early")
    moment = re.match(r"at (\d+) ms \(.*\), trace line (\d+): record \d+ of epoch 0x[0-9a-f]+ is freed", finding.text)
    assert moment, finding.text
    assert failed.story[-1].endswith("is freed, and the journal does not have it")
    assert failed.story[-1].split()[0] == moment[1]
    written: list[str] = []
    assert fuzz.run(2, [SILENT_GATEWAY], written.append).trace == failed.trace
    assert written[int(moment[2])].startswith(failed.story[-1])
