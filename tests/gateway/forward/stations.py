"""Stations of an HJ 212 platform, of both editions, behind the real sink."""

from pathlib import Path

from gateway.config import Hj212Config
from gateway.forward.hj212.mapping import Mapping, load_mapping
from gateway.forward.hj212.sink import Hj212Sink
from tests.gateway.forward.platform_double import PlatformDouble
from tests.gateway.forward.world import FakeSink, World

MN, OTHER_MN = "010000A8900016F000169DC0", "010000A8900016F000169DC1"
PW = "831027"
KEY = "0123456789abcdef"
DAY_S = 86400
HEAD_2017 = f'[[station]]\nterminal = "T0001"\nmn = "{MN}"\nst = "32"\npw = "{PW}"\n'
ITEMS_2017 = """
[[station.item]]
point = 1
code = "i33200"
quantity = "p"
attributes = ["Min", "Avg", "Max", "Rtd"]
[[station.item]]
point = 1
code = "i33201"
quantity = "e_import"
attributes = ["Cou"]
[[station.state]]
point = 1
code = "SB1"
"""
ITEMS_2025 = """
[[station.item]]
point = 1
code = "d20105"
quantity = "ua"
attributes = ["Rtd"]
decimals = 1
[[station.item]]
point = 1
code = "p99101"
quantity = "p"
attributes = ["Rtd"]
st = "45"
"""


def mapping_2025(folder: Path, sm4: str = "", top: str = "") -> Mapping:
    (folder / "station.sm4").write_text(KEY)
    (folder / "station.sm4").chmod(0o600)
    key = 'key_file = "station.sm4"\n' if sm4 else ""
    form = f'sm4 = "{sm4}"\n' if sm4 else ""
    head = f"edition = 2025\n{form}{top}\n{HEAD_2017.replace('32', '44', 1)}{key}"
    return mapping(folder, head + ITEMS_2025)


def mapping(folder: Path, text: str) -> Mapping:
    (folder / "platform.toml").write_text(text)
    return load_mapping(folder / "platform.toml")


class Station(World):
    """A world whose sink is an HJ 212 platform."""

    def __init__(self, folder: Path, mapping: Mapping, platform: PlatformDouble, connections: int = 1) -> None:
        self.mapping = mapping
        self.platform = platform
        self.config = Hj212Config(name="s", host="-", port=1, mapping="-", connections=connections)
        super().__init__(folder, FakeSink())

    def open(self) -> None:
        super().open()
        self.hj212 = Hj212Sink(
            self.config, self.mapping, self.outbox, self.folder, self.clock, self.metrics, self.platform
        )
        self.forwarder._sink = self.hj212

    def steps(self, count: int = 30) -> None:
        for _ in range(count):
            self.forwarder.feed()
            self.forwarder.is_well(self.hj212.work(100))

    def told(self, cn: str) -> list[dict[str, str]]:
        found = [one for one in self.platform.told if one.cn == cn]
        return [{name: value for item in one.cp for name, value in item} for one in found]

    def answers(self) -> list[tuple[str, str]]:
        """(9011 or 9012, its number) of what was said since the last time."""
        said = [(one.cn, next((value for item in one.cp for _, value in item), "")) for one in self.platform.replies]
        self.platform.replies.clear()
        return said
