"""Somebody on the simulation's broker who has no key."""

from hil.sim.broker import Broker
from hil.stranger import Deed, Knowledge


class Stranger:
    """hil.target.StrangerPart beside the broker: hears all, publishes what he likes."""

    def __init__(self, broker: Broker, seed: int, victim: str) -> None:
        self._knowledge = Knowledge(seed, victim)
        self._broker = broker
        broker.overheard = self._knowledge.hear

    def act(self, deed: Deed) -> None:
        """Publish."""
        for topic, payload in list(self._knowledge.messages(deed)):
            self._broker.inject(topic, payload)
