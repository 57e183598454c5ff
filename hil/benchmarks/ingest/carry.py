"""`python -m hil.benchmarks.ingest.carry CONFIG CARRIER`: a carrier alone.

Each frame is taken, answered with a ready ack and released: what the gateway costs more lies between.
"""

import json
import random
import sys
from pathlib import Path

from gateway import app, memory
from gateway.carriers import Carrier
from gateway.clock import steady_s
from gateway.config import MqttConfig
from gateway.intake.paho_carrier import PahoIntake
from gateway.intake.stream_carrier import StreamIntake
from gateway.mqtt.session import OnState

READY_ACK = bytes(110)  # as large as an ack of one record


def make(name: str, config: MqttConfig, on_state: OnState) -> Carrier:
    """The carrier, over TCP: `stream` or `paho`."""
    if name == "paho":
        return PahoIntake(config, steady_s, on_state)
    return StreamIntake(config, steady_s, on_state, random.SystemRandom().random)


def announce(state: str, _detail: object) -> None:
    """Say that frames can come in, as the gateway does."""
    if state == "subscribed":
        sys.stdout.write(json.dumps({"ready": True}) + "\n")
        sys.stdout.flush()


def main() -> None:
    """See above. Runs until it is killed."""
    loaded = app.Loaded(Path(sys.argv[1]))
    memory.settle()
    if loaded.config.mqtt is None:
        raise SystemExit("no [mqtt]")
    intake, settings = make(sys.argv[2], loaded.config.mqtt, announce), loaded.config.intake
    intake.start()
    while True:
        batch = intake.take(settings.batch_frames, 1, settings.batch_wait_ms / 1000)
        intake.publish_down([(one.terminal, READY_ACK) for one in batch])
        intake.release([one.token for one in batch])


if __name__ == "__main__":
    main()
