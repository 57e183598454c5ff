"""Which bus of a terminal is at which port: as the options say, or told what to say."""

import pytest
from terminal.bus import Line
from typer.testing import CliRunner

from firmware.field import cli
from firmware.field.bus.asking import SILENT
from firmware.field.bus.opening import PlaceError, places
from firmware.field.bus.reach import ANYBODY, WHO, Buses, Question
from tests.firmware.field.bus.scripted import Scripted


@pytest.mark.parametrize(
    ("ports", "uarts", "found"),
    [
        (["COM3"], {0}, {0: "COM3"}),
        (["COM3"], {1}, {1: "COM3"}),
        (["COM3"], (), {0: "COM3"}),
        (["1=COM3"], {0, 1}, {1: "COM3"}),
        (["0=COM3", "1=COM4"], {0, 1}, {0: "COM3", 1: "COM4"}),
        (["board:COM3"], {0, 1}, {0: "board:COM3", 1: "board:COM3"}),
        (["board:COM3#1"], {0, 1}, {1: "board:COM3"}),
        (["board:COM3"], (), {0: "board:COM3"}),
        (["board:COM3#0", "1=COM4"], {0, 1}, {0: "board:COM3", 1: "COM4"}),
        (["rfc2217://host:1?a=b"], {0}, {0: "rfc2217://host:1?a=b"}),
        ([], {0, 1}, {}),
    ],
)
def test_the_options_say_which_bus_is_where(ports: list[str], uarts: set[int], found: dict[int, str]) -> None:
    """P-358"""
    assert places(ports, uarts) == found


@pytest.mark.parametrize(
    ("ports", "uarts", "why"),
    [
        (["COM3"], {0, 1}, "which bus is it"),
        (["2=COM3"], {0, 1}, "not in the plan"),
        (["0=COM3", "0=COM4"], {0, 1}, "stands twice"),
        (["0=COM3", "1=COM3"], {0, 1}, "one adapter is on one bus"),
        (["board:COM3#x"], {0}, "board:PORT#0"),
        (["board:COM3#1"], {0}, "not in the plan"),
    ],
)
def test_what_does_not_say_it_is_told_what_to_say(ports: list[str], uarts: set[int], why: str) -> None:
    """P-358"""
    with pytest.raises(PlaceError, match=why):
        places(ports, uarts)


def test_several_ports_are_asked_each_for_its_own_bus() -> None:
    """P-358"""
    one, other = Scripted({}), Scripted({})
    buses = Buses({0: one, 1: other})
    question = Question(Line(9600, "N", 1), WHO, "", ANYBODY, 100)
    assert [heard.said for heard in buses.at(1).ask([question])] == [SILENT]
    assert (one.asked, other.asked) == ([], [question])


@pytest.mark.parametrize("command", ["scan", "find-meter"])
def test_a_second_bus_is_not_passed_over_in_silence(command: str) -> None:
    """P-358: without a plan nothing says what is on it, and the first alone would be asked."""
    done = CliRunner().invoke(cli.app, [command, "--port", "0=COM3", "--port", "1=COM4"])
    assert (done.exit_code, "without a --plan" in done.stderr) == (2, True), done.output
