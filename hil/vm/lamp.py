"""The terminal on a board with a status LED: what it is to say is printed, each time that changes."""

import boards
from boards import unix
from terminal import led


class Board(unix.Board):
    has_led = True


boards.open_board = Board
before = 0


def tell(said: int, real_ms: int) -> bool:  # noqa: ARG001
    global before  # noqa: PLW0603  one LED, one program
    if said != before:
        print("led says", said)
        before = said
    return False


led.is_lit = tell

import main  # noqa: E402  it must find the board above

main.main()
