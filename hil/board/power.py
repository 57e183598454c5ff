"""The board's supply: on and off, and known to be so."""

import subprocess
from typing import Protocol

from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.exceptions import ModbusException

from hil.board.bench_file import Power as Plan
from hil.process import BenchError

ANSWER_S = 2.0  # a relay's; they answer in some 10 ms
COMMAND_S = 20.0
NO_RELAY = 'the bench has no relay, so it can\'t cut the power / 无继电器，无法断电: power.kind = "none"'


class Power(Protocol):
    """A supply that can be switched. Both raise BenchError where it did not do as it was told."""

    def switch(self, *, on: bool) -> None: ...


class ModbusRelay:
    """A coil: written, then read back, for a relay that does not answer is no power cut."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        where = plan.port or f"{plan.host}:{plan.tcp_port}"
        self._name = f"relay {where}, unit {plan.unit}, coil {plan.coil}"

    def switch(self, *, on: bool) -> None:
        """Close or open it."""
        plan, wanted = self._plan, on == self._plan.on_when
        client = self._client()
        try:
            if not client.connect():
                raise BenchError(f"{self._name} can't be reached / 无法连接继电器")
            client.write_coil(plan.coil, wanted, device_id=plan.unit)
            answer = client.read_coils(plan.coil, count=1, device_id=plan.unit)
        except ModbusException as error:
            raise BenchError(f"{self._name}: {error}") from error
        finally:
            client.close()  # type: ignore[no-untyped-call]
        if answer.isError() or answer.bits[0] != wanted:
            raise BenchError(f"{self._name} did not switch / 继电器未动作: {answer}")

    def _client(self) -> ModbusSerialClient | ModbusTcpClient:
        plan = self._plan
        if plan.port is not None:
            return ModbusSerialClient(plan.port, baudrate=plan.baud, timeout=ANSWER_S)
        return ModbusTcpClient(str(plan.host), port=plan.tcp_port, timeout=ANSWER_S)


class Command:
    """Two programs, such as a hub's."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def switch(self, *, on: bool) -> None:
        """Run the one or the other."""
        command = self._plan.on if on else self._plan.off
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=COMMAND_S)
        except (OSError, subprocess.SubprocessError) as error:
            raise BenchError(f"power / 电源: {' '.join(command)}: {error}") from error


class Unswitched:
    """There is no relay: the board has power, and keeps it."""

    def switch(self, *, on: bool) -> None:
        """Nothing, as long as it is to be on."""
        if not on:
            raise BenchError(NO_RELAY)


def power_of(plan: Plan) -> Power:
    """The driver of a bench's supply."""
    if plan.kind == "modbus":
        return ModbusRelay(plan)
    return Command(plan) if plan.kind == "command" else Unswitched()
