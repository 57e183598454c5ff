"""`python -m hil.benchmarks.ingest.gateway CONFIG CARRIER`: the whole gateway, with either carrier over TCP."""

import sys
from collections.abc import Callable
from pathlib import Path

from gateway import app
from gateway.carriers import Carrier
from gateway.config import MqttConfig
from gateway.mqtt.session import OnState
from hil.benchmarks.ingest import carry


def main() -> None:
    """Run the composition root until SIGTERM."""
    name = sys.argv[2]

    def make_intake(config: MqttConfig, _clock: Callable[[], float], on_state: OnState, _random: object) -> Carrier:
        return carry.make(name, config, on_state)

    # the product takes paho for WebSocket only: this is the one place that is told otherwise
    vars(app)["make_intake"] = make_intake
    app.run(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
