"""A sink's thread as a process to be killed: `python -m ... FOLDER PORT`. It pauses shortly between a text's rounds."""

import sys
import threading
from pathlib import Path

import structlog

from gateway.config import Hj212Config
from gateway.forward import kinds
from gateway.forward.hj212 import line
from gateway.forward.runner import SinkRunner
from gateway.metrics import Metrics
from tests.gateway.support import StillClock

RETRY_MS = 400


def main(folder: Path, port: int) -> None:
    """Until it is killed."""
    line.TEXT_RETRY_MS = RETRY_MS
    config = Hj212Config(
        name="s", host="127.0.0.1", port=port, mapping=str(folder / "platform.toml"), answer_timeout_ms=250,
        reconnect_min_ms=10, reconnect_max_ms=50,
    )  # fmt: skip
    metrics, clock = Metrics(), StillClock()
    runner = SinkRunner(
        config, kinds.load(config, None).make(folder, clock, metrics), folder, clock, metrics, structlog.get_logger()
    )
    runner.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
