"""Plays all moves, and says what came of each. One public entry: `play`."""

from collections.abc import Callable
from pathlib import Path

from hil.attack import cabinet, factory, insider, network, root, thief
from hil.attack.house import House, running
from hil.attack.move import Move, Observed, Outcome

# The factory's bus is looked at after all that was sent down to its terminal, and before other meters are on it, whose
# log begins anew; the thief's last move has his terminal revoked, so it comes last of all.
MOVES: list[Move] = [*network.MOVES, *factory.MOVES, *cabinet.MOVES, *insider.MOVES, *root.MOVES, *thief.MOVES]
Told = Callable[[Outcome], None]


def play(folder: Path, seed: int, told: Told) -> list[Outcome]:
    """Every move, in one house. Raises BenchError where the house itself could not be brought up."""
    found = []
    with running(folder, seed) as house:
        for move in MOVES:
            seen = _played(house, move)
            one = Outcome(move.attacker, move.name, move.goals, move.expected, seen.text, seen.held)
            told(one)
            found.append(one)
    return found


def _played(house: House, move: Move) -> Observed:
    """What was seen; a move that failed by itself has shown nothing, and counts against the house."""
    try:
        return move.play(house)
    except Exception as error:  # noqa: BLE001  (one move's own fault must not hide the others)
        return Observed(held=False, text=f"the move itself failed: {type(error).__name__}: {error}")


def table(outcomes: list[Outcome]) -> str:
    """Markdown: move, expected, observed."""
    lines = ["| attacker | move | goals | expected | observed | |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {one.attacker} | {one.move} | {one.goals} | {one.expected} | {_cell(one.observed)} | {_word(one)} |"
        for one in outcomes
    ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _word(one: Outcome) -> str:
    return "held" if one.held else "**BROKEN**"
