"""What can go wrong between a laptop and a board, by what the technician does next. Texts are in both languages."""


class BoardError(Exception):
    """Something about a port or a board; no fault of this program."""


class PortError(BoardError):
    """The port is not there, is held by another program, or may not be opened."""


class BoardSilentError(BoardError):
    """The board does not answer, or stopped to: cable, power, or another program than MicroPython on it."""


class BoardRefusedError(BoardError):
    """The board said no. `traceback`: what it said, as it came."""

    def __init__(self, text: str, traceback: str = "") -> None:
        super().__init__(text)
        self.traceback = traceback
