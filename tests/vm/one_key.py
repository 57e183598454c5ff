# What a terminal's answers need of terminal.keys, where its key stays as it is.
from protocol import mac


class OneKey:
    """`key` alone; what is offered is noted."""

    def __init__(self, key: mac.Key) -> None:
        self.key = key
        self.known = {key.generation: key}
        self.offers: list[object] = []

    def heard(self, generation: int) -> None:
        assert generation in self.known

    def take(self, found: object) -> None:
        self.offers.append(found)
