"""What is wrong with one terminal's change of key, and those of the others in the same batch."""

from pathlib import Path

from gateway.intake import Delivery
from gateway.rotation import changes, keyring
from gateway.rotation.store import Store
from tests.gateway.rotation.world import House, fleet, talk

NAMES = ("T0001", "T0002")


def spoil(folder: Path, name: str) -> None:
    """A disk that has rotted."""
    store = Store(folder)
    with store.writing() as connection:
        connection.execute("UPDATE secrets SET line = 'rotten' WHERE terminal = ? AND kind = ?", (name, keyring.FACTOR))
    store.close()


def hear_all(house: House, frames: dict[str, bytes]) -> list[str]:
    """One batch of all; who is sent something beside its ack."""
    house.down.clear()
    batch = [Delivery(name, "", data, len(data), (0, 0)) for name, data in frames.items()]
    house.pipeline.process(batch, house.rotation.registry)
    house.rotation.step()
    sent = [name for name, _ in house.down]
    return [name for name in frames if sent.count(name) > 1]


def test_a_secret_that_can_not_be_read_holds_up_no_other_terminals_key(tmp_path: Path) -> None:
    """P-466: its own change waits, is counted and named; every other in the batch is offered its key."""
    house, boxes = fleet(tmp_path, *NAMES)
    house.order(*NAMES)
    talk(house, boxes["T0001"])
    boxes["T0001"].pending.clear()
    spoil(tmp_path, "T0001")
    house.step(changes.AGAIN_MS // 1000)
    for box in boxes.values():
        box.append()
    assert hear_all(house, {name: box.frame() for name, box in boxes.items()}) == ["T0002"]
    assert house.metric("wattline_down_messages_total", kind="key_offer", result="dropped") == 1
    assert house.metric("wattline_store_errors_total", store="rotation") == 0
    assert "key_not_offered" in house.said.getvalue()
    assert "rotten" not in house.said.getvalue()
    for data in [data for name, data in house.down if name == "T0002"]:
        boxes["T0002"].obey(data)
    boxes["T0002"].compute()
    talk(house, boxes["T0002"])
    assert house.change("T0002").state == changes.AGREED
