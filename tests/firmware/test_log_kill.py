"""The log on the real VM, on LittleFS in a file, under power cuts: at every flash operation of a run, at any moment.

A cut at an operation leaves that program or erase half done (hil/vm/cut_flash.py). A failure names the operation, and
`WATTLINE_CUT=op python -m pytest tests/firmware/test_log_kill.py -k every` replays it alone.
"""

import json
import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
CUT_STATUS = 77
BLOCKS = "64"  # 256 KiB: small, so that copying it is nothing
LOG_FULL, NUMBERS_SKIPPED = 6, 7
APPENDS = 24  # three segments
ROOMY = 6  # segments: never full in these runs
TIGHT = 3  # segments: the log drops its oldest
SCRIPTS = REPO / "hil" / "vm"

# how a cut leaves its operation: percent of the bytes done, then bytes of garbage
TEARS = ((0, 0), (50, 0), (99, 0), (100, 0), (50, 16), (0, 4096))


def vm(script: str, *args: object, name: str = "vm64", blocks: str = BLOCKS) -> subprocess.Popen[str]:
    """One of hil/vm/'s scripts, started."""
    return subprocess.Popen(
        [str(REPO / "build" / name / "micropython"), str(SCRIPTS / script), *map(str, args)],
        env={
            **os.environ,
            "MICROPYPATH": f"{REPO}:{REPO / 'firmware/device'}:.frozen",
            "WATTLINE_FLASH_BLOCKS": blocks,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class Witness:
    """What a log has said that it did, over several runs on one image, held against what is in it afterwards."""

    def __init__(self, image: Path, segments: int, vm_name: str = "vm64") -> None:
        self.image = image
        self.segments = segments
        self.vm_name = vm_name
        self.epoch: int | None = None
        self.runs: dict[int, int] = {}  # seq: the run whose append returned it
        self.freed: set[int] = set()
        self.maybe_freed: set[int] = set()
        self.run = 0
        self.operations = 0
        self.lines = 0

    def write(self, appends: int, cut: tuple[int, int, int] = (0, 0, 0), kill_after_s: float | None = None) -> int:
        """Run the writer; the status it ended with."""
        self.run += 1
        process = vm("log_writer.py", self.image, self.run, appends, self.segments, *cut, name=self.vm_name)
        if kill_after_s is not None:
            time.sleep(kill_after_s)
            process.kill()
        said, _ = process.communicate(timeout=60)
        self._hear(said)
        return process.returncode

    def _hear(self, said: str) -> None:
        lines = said.split("\n")[:-1]  # what has no end of line was not said
        for line in lines:
            word, *numbers = line.split()
            values = [int(one) for one in numbers]
            self.lines += 1
            if word == "E":
                assert self.epoch in (None, values[0]), "the epoch has changed"
                self.epoch = values[0]
            elif word == "A":
                assert values[0] not in self.runs, f"number {values[0]} is used twice"
                self.runs[values[0]] = self.run
            elif word in "Ff":
                known = {seq for seq in range(values[0], values[1] + 1) if seq in self.runs}
                (self.freed if word == "f" else self.maybe_freed).update(known)
            elif word == "END":
                self.operations = values[0]
            else:
                raise AssertionError(said)

    def check(self) -> None:
        """Open the log and hold it against what was said."""
        said, _ = (process := vm("log_dump.py", self.image, self.segments, name=self.vm_name)).communicate(timeout=60)
        assert process.returncode == 0, said
        head, *records = [json.loads(line) for line in said.splitlines()]
        assert self.epoch in (None, head["epoch"]), "the epoch has changed"
        assert head["damaged"] == 0, "a power cut is no damage"
        found = {one["seq"]: one for one in records}
        assert all(seq < head["next"] for seq in self.runs), "a number would be used again"
        dropped = self._dropped(records)
        for seq, run in self.runs.items():
            if seq in found:
                self._same(found[seq], run)
                assert seq not in self.freed, f"{seq} was freed and is back"
            else:
                assert seq in self.maybe_freed or seq in dropped, f"{seq} is lost"
        extra = [one for seq, one in found.items() if seq not in self.runs and "event" not in one]
        assert len(extra) <= 1, extra  # written, and cut before append returned
        for one in extra:
            run = int(one["text"].split(":")[0])
            self._same(one, run)
            assert run == self.run
            self.runs[one["seq"]] = run  # from now on it must stay

    def _dropped(self, records: list[dict[str, object]]) -> set[int]:
        """What the log says it has dropped because it was full."""
        told: set[int] = set()
        for one in records:
            if one.get("event") == NUMBERS_SKIPPED:
                assert isinstance(one["values"], list)
                assert one["values"][0] == one["values"][1]
                assert one["values"][0] not in self.runs
            elif "event" in one:
                assert self.segments < ROOMY, f"an event without a reason: {one}"
                assert one["event"] == LOG_FULL
                assert isinstance(one["values"], list)
                told.update(range(one["values"][0], one["values"][1] + 1))
        return told

    @staticmethod
    def _same(one: dict[str, object], run: int) -> None:
        seq = one["seq"]
        assert isinstance(seq, int)
        assert one["text"] == f"{run}:{seq}:", one
        assert one["length"] == len(f"{run}:{seq}:") + 10 + seq * 1237 % 3870, one


def campaign(tmp_path: Path, segments: int, runs_before: int, cuts: int) -> None:
    """Cut a run at `cuts` of its flash operations, evenly chosen (all of them if there are fewer)."""
    base = tmp_path / "base.img"
    before = Witness(base, segments)
    for _ in range(runs_before):
        assert before.write(APPENDS) == 0
        before.check()
    total = operations_of(tmp_path, before)
    chosen = [int(os.environ["WATTLINE_CUT"])] if "WATTLINE_CUT" in os.environ else list(range(1, total + 1))
    for at in chosen[:: max(1, len(chosen) // cuts)]:
        image = tmp_path / "cut.img"
        for file in (image, counters_of(image)):
            file.unlink(missing_ok=True)
        if runs_before:
            copy_image(base, image)
        witness = copy_of(before, image)
        try:
            assert witness.write(APPENDS, (at, *TEARS[at % len(TEARS)])) == CUT_STATUS
            witness.check()
            if at % 8 == 0:
                assert witness.write(4) == 0
                witness.check()
        except AssertionError as error:
            pytest.fail(f"cut at operation {at} of {total} (replay: WATTLINE_CUT={at}): {error}")


def counters_of(image: Path) -> Path:
    return image.with_name(image.name + ".counters")


def copy_image(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    shutil.copyfile(counters_of(source), counters_of(target))


def copy_of(witness: Witness, image: Path) -> Witness:
    other = Witness(image, witness.segments, witness.vm_name)
    other.epoch = witness.epoch
    other.run = witness.run
    other.runs = dict(witness.runs)
    other.freed = set(witness.freed)
    other.maybe_freed = set(witness.maybe_freed)
    return other


def operations_of(tmp_path: Path, before: Witness) -> int:
    """How many flash operations the run makes without a cut."""
    image = tmp_path / "whole.img"
    if before.image.exists():
        copy_image(before.image, image)
    whole = copy_of(before, image)
    assert whole.write(APPENDS) == 0
    whole.check()
    return whole.operations


@pytest.mark.slow
def test_cut_at_every_operation_of_a_first_run(tmp_path: Path) -> None:
    """R-01: from the formatting on: it always mounts, nothing that append returned for is lost, nothing is invented."""
    campaign(tmp_path, ROOMY, runs_before=0, cuts=10000)


@pytest.mark.slow
def test_cut_at_every_operation_of_a_run_in_a_full_log(tmp_path: Path) -> None:
    """R-01, R-05: as above, while the oldest segments go; what is not there any more was declared."""
    campaign(tmp_path, TIGHT, runs_before=2, cuts=10000)


@pytest.mark.parametrize("segments", [ROOMY, TIGHT])
def test_cut_at_some_operations(tmp_path: Path, segments: int) -> None:
    """The same at every tenth operation or so: what one runs between edits."""
    campaign(tmp_path, segments, runs_before=1, cuts=20)


@pytest.mark.parametrize("name", ["vm64", "vm32"])
def test_killed_at_any_moment_again_and_again(tmp_path: Path, name: str) -> None:
    """R-01: kill -9 in the middle of whatever it does, 40 times on one flash; acknowledging, and getting full."""
    seed = int(os.environ.get("WATTLINE_SEED", time.time_ns() % 1000000))
    choose = random.Random(seed)
    witness = Witness(tmp_path / "flash.img", TIGHT + 1, name)
    shown = f"seed {seed} (replay: WATTLINE_SEED={seed})"
    for _ in range(40):
        try:
            witness.write(40, kill_after_s=choose.uniform(0, 0.03))
            witness.check()
        except AssertionError as error:
            pytest.fail(f"{shown}, run {witness.run}: {error}")
    assert len(witness.runs) > 100, shown


@pytest.mark.slow
def test_an_8_mib_flash_holds_six_months_of_windows_of_9_points(tmp_path: Path) -> None:
    """R-04: and each of them can be read again after a restart."""
    image = tmp_path / "flash.img"
    windows = 183 * 96
    said, _ = (process := vm("prefill.py", image, windows, 9, blocks="2048")).communicate(timeout=300)
    assert process.returncode == 0, said
    told = json.loads(said)
    assert (told["first"], told["last"], told["dropped"]) == (1, windows, 0)
    said, _ = (process := vm("log_dump.py", image, 252)).communicate(timeout=300)
    assert process.returncode == 0, said
    ends = [json.loads(line)["window"] for line in said.splitlines()[1:]]
    assert ends == [900 * (number + 1) for number in range(windows)]
