"""Whether a bench's ports can be used: the field tool looks (firmware/field/board); what it finds ends a run."""

from collections.abc import Sequence
from pathlib import Path

from firmware.field.board import ports as field_ports
from firmware.field.board.errors import PortError
from hil.process import BenchError


def check(ports: Sequence[Path]) -> None:
    """Raise BenchError unless all ports are there, nobody holds one, and this user may open them."""
    try:
        for port in ports:
            field_ports.check(str(port))
    except PortError as error:
        raise BenchError(str(error)) from error
