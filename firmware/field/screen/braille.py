"""A canvas of braille characters: eight dots in each cell, so that lines can be drawn in a terminal."""

from __future__ import annotations

import math

from rich.text import Text

# the bit of the dot at (column, row) of a cell (Unicode block 2800)
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_BLANK = 0x2800


class Canvas:
    """width x height cells; dots are counted from the upper left, 2 a cell across, 4 down. Outside nothing is drawn."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._bits = [[0] * width for _ in range(height)]
        self._letters: dict[tuple[int, int], str] = {}
        self._styles: dict[tuple[int, int], str] = {}

    @property
    def dots(self) -> tuple[int, int]:
        """How many there are across and down."""
        return 2 * self.width, 4 * self.height

    def dot(self, x: float, y: float, style: str) -> None:
        """One dot; the cell has the style of what was drawn last."""
        column, row = int(x) // 2, int(y) // 4
        if 0 <= column < self.width and 0 <= row < self.height:
            self._bits[row][column] |= _DOTS[int(x) % 2][int(y) % 4]
            self._styles[row, column] = style

    def line(self, start: tuple[float, float], end: tuple[float, float], style: str, every: int = 1) -> None:
        """A straight line; every: 2 leaves out each second dot."""
        length = math.dist(start, end)
        for step in range(0, int(length) + 1, every):
            part = step / length if length else 0.0
            self.dot(start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1]), style)

    def letter(self, x: float, y: float, letter: str, style: str) -> None:
        """A character in the cell of a dot; within the canvas at any rate."""
        column = min(max(int(x) // 2, 0), self.width - 1)
        row = min(max(int(y) // 4, 0), self.height - 1)
        self._letters[row, column] = letter
        self._styles[row, column] = style

    def lines(self) -> list[Text]:
        """The rows, each as wide as the canvas."""
        return [self._row(row) for row in range(self.height)]

    def _row(self, row: int) -> Text:
        text = Text()
        for column in range(self.width):
            bits = self._bits[row][column]
            char = self._letters.get((row, column)) or (chr(_BLANK + bits) if bits else " ")
            text.append(char, self._styles.get((row, column), ""))
        return text
