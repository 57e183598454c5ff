"""A terminal's way to the broker, or the gateway's to it, as scenarios disturb it."""

from hil.sim.network import Network
from hil.weather import PROFILES


class Link:
    """hil.target.LinkPart over the simulation's network: from a client to a port."""

    def __init__(self, network: Network, client: str, port: int) -> None:
        self._network = network
        self._client = client
        self._port = port

    def set_up(self, *, up: bool) -> None:
        """Take it away, or bring it back."""
        self._network.set_down(self._client, self._port, down=not up)

    def set_profile(self, name: str) -> None:
        """As fast as a network of hil.weather.PROFILES."""
        self._network.set_weather(self._client, self._port, PROFILES[name])

    def break_after(self, count: int | None) -> None:
        """Break the connection that there is, and the next one after so many bytes; None: no later one any more."""
        self._network.cut_now(self._client, self._port, [] if count is None else [(0, count)])
