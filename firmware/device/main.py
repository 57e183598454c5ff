# Where the board starts. A configuration that is not right ends here, before anything else is touched.
import asyncio
import sys

import boards
from terminal.app import App

from protocol.checked import ConfigError


def main() -> None:
    try:
        app = App(boards.open_board())  # type: ignore[no-untyped-call]
    except ConfigError as error:
        print(error)
        sys.exit(2)
    asyncio.run(app.run())


if __name__ == "__main__":
    main()
