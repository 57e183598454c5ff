# One place that knows which board this is. The contract is README.md.
import sys


def open_board():  # type: ignore[no-untyped-def]
    """The board that this program runs on, ready: flash mounted, clock running."""
    if sys.platform == "esp32":
        from boards.esp32s3 import Board
    elif sys.platform == "rp2":
        from boards.rp2 import Board
    else:
        from boards.unix import Board
    return Board()


def mount_data() -> str:
    """The data's file system and nothing else of the board, for who looks at it from the REPL; the folder it is at."""
    if sys.platform == "esp32":
        from boards.esp32s3 import mount
    elif sys.platform == "rp2":
        from boards.rp2 import mount
    else:
        from boards.unix import mount
    from boards.base import DATA_DIR

    mount()
    return DATA_DIR
