"""`python -m hil.gateway_process CONFIG`: the real gateway, told the time by the bench's clock."""

import os
import sys
from pathlib import Path

from gateway import app
from hil.clock import ScaledClock


def main() -> None:
    """Run the gateway's composition root until SIGTERM."""
    app.run(Path(sys.argv[1]), ScaledClock.from_env(os.environ))


if __name__ == "__main__":
    main()
