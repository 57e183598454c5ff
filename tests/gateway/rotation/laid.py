"""A technician's key that comes while one that was agreed on counts."""

from cext.decoder import KeyState
from gateway.registry import Registry, Terminal
from tests.gateway.rotation.world import House
from tests.gateway.support import Sender, write_key

NAME = "T0001"
LAID = Sender(NAME, b"n" * 32, 9)


def admit(house: House) -> None:
    """A replacement's key comes into terminals.toml, at the office; the board that it replaces still serves."""
    before = house.laid.get(NAME)
    assert before is not None
    file = house.folder / "laid.hex"
    write_key(file, LAID.secret)
    generation = LAID.key.generation
    states, files = {**before.states, generation: KeyState(LAID.secret)}, {**before.key_files, generation: file}
    house.laid = Registry([Terminal(NAME, states, before.points, key_files=files)])
    house.rotation.take(house.laid)
