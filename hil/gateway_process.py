"""`python -m hil.gateway_process CONFIG`: the real gateway, told the time by the bench's clock.

Where the disk, or what is on it, does not let it start, it says so and ends, as `wattline gateway run` does.
"""

import os
import sys
from pathlib import Path

from gateway import app
from gateway.backup.stores import BackupError
from gateway.database import NewerSchemaError, StoreUnavailableError
from hil.clock import ScaledClock


def main() -> None:
    """Run the gateway's composition root until SIGTERM."""
    try:
        app.run(Path(sys.argv[1]), ScaledClock.from_env(os.environ))
    except (StoreUnavailableError, NewerSchemaError, BackupError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
