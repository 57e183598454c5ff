"""A whole image over the air, against the running terminal on the real VM and a real broker. The partitions are a
stand-in (tests/vm/partitions.py) in a file, which the boot loader's rules go over at each start."""

from pathlib import Path

import pytest
from terminal import supervisor
from terminal.images import TRIALS_MAX

from firmware import DEVICE, image
from firmware.field.update import keys, release
from protocol import record
from tests.firmware import over_the_air as air
from tests.firmware.gateway_double import GatewayDouble
from tests.firmware.site import REPO, START_MS, Site

pytestmark = [pytest.mark.e2e]

FIRST, SECOND = air.NUMBER + 1, air.NUMBER + 2
IMAGES = {number: bytes([number % 251, 1, 2, 3]) * 5000 for number in (FIRST, SECOND)}
BLOCKS = 6

IN_A_FILE = f"""
import os
_PATH = os.getenv("WATTLINE_FLASH") + ".images"

class InAFile(Chip):
    def change(self, block, offset, data):
        Chip.change(self, block, offset, data)
        with open(_PATH, "wb") as file:
            for one in self.flash:
                file.write(one)

def started():
    chip = InAFile({BLOCKS})
    try:
        with open(_PATH, "rb") as file:
            for one in chip.flash:
                file.readinto(one)
    except OSError:
        pass
    found = chip.start()
    print("image", chip.runs)
    return found
"""
WITH_PARTITIONS = """
_open = open_board

def open_board():
    from boards import bench
    board, found = _open(), bench.started()
    board.image_partitions = lambda: found
    return board
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image of an application whose board has two partitions."""
    folder = tmp_path_factory.mktemp("image") / "root"
    image.build("unix", folder, (1, 0, 0), air.NUMBER)
    (folder / "boards/bench.py").write_text((REPO / "tests/vm/partitions.py").read_text() + IN_A_FILE)
    (folder / "boards/__init__.mpy").unlink()
    (folder / "boards/__init__.py").write_text((DEVICE / "boards/__init__.py").read_text() + WITH_PARTITIONS)
    return folder


def bundle_of(number: int, key: keys.ReleaseKey) -> bytes:
    described = release.described(number, "1.27.0", "unix", START_MS // 1000 + 10**7)
    return release.make_image(IMAGES[number], described, key)


def starts(gateway: GatewayDouble) -> list[list[int]]:
    """(cause, release, on trial) of each."""
    return [[one.values[0], *one.values[3:]] for one in gateway.events(record.BOOT)]


def runs(made: Site) -> str:
    """Which image the boot loader began last."""
    lines = [line for line in made.terminal.process.text().splitlines() if line.startswith("image ")]
    return lines[-1]


@pytest.mark.parametrize("vm", ["vm64", "vm32"])
def test_images_come_over_the_air_one_is_good_and_one_whose_trials_are_all_cut_goes_back(
    tmp_path: Path, root: Path, vm: str
) -> None:
    """P-344 P-342 P-500"""
    key = keys.generate(tmp_path / "release.pem")
    with air.updatable(tmp_path, root, [key.point], vm) as made, made.gateway() as gateway:
        made.terminal.start()
        gateway.wait("the boot", lambda: bool(gateway.events(record.BOOT)))
        assert runs(made) == "image 0"
        air.deliver(gateway, bundle_of(FIRST, key))
        air.ended(made)
        gateway.wait("it is good", lambda: bool(gateway.events(record.UPDATE_GOOD)))
        assert [one.values for one in gateway.events(record.UPDATE_GOOD)] == [[FIRST]]
        assert starts(gateway) == [[1, air.NUMBER, 0], [supervisor.CAUSE_UPDATE, FIRST, 1]]
        assert runs(made) == "image 1"

        air.deliver(gateway, bundle_of(SECOND, key))
        gateway.answering = False
        air.ended(made)
        gateway.wait("its trial has begun", lambda: starts(gateway)[-1] == [supervisor.CAUSE_UPDATE, SECOND, 1])
        for trial in range(1, TRIALS_MAX):
            made.terminal.kill()
            made.terminal.start()
            air.ended(made)  # by itself: the image is set to boot once more
            cut = [supervisor.CAUSE_POWER_ON, SECOND, 1]
            gateway.wait("it is tried again", lambda cut=cut, trial=trial: starts(gateway).count(cut) == trial)
            assert runs(made) == "image 0"
        made.terminal.kill()
        made.terminal.start()
        gateway.answering = True
        gateway.wait("it went back", lambda: bool(gateway.events(record.UPDATE_ROLLED_BACK)))
        given_up = [one.values for one in gateway.events(record.UPDATE_ROLLED_BACK)]
        assert given_up == [[SECOND, FIRST, record.BACK_STARTS]]
        assert (starts(gateway)[-1][1:], runs(made)) == ([FIRST, 0], "image 1")
        made.terminal.kill()
    (file,) = tmp_path.rglob("*.images")
    flash = file.read_bytes()
    at = (2 + BLOCKS) * 4096
    assert flash[at : at + len(IMAGES[FIRST])] == IMAGES[FIRST]
