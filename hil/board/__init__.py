"""The target `board`: a real terminal on a serial port, an RS-485 adapter, a relay in its supply; the same scenarios.

bench_file.py  bench.toml: what is plugged in where; one file a board, which is also its documentation
ports.py       whether its ports can be used
lock.py        the bench is one run's at a time, and says whose
power.py       the board's supply: a relay by Modbus, or a command
console.py     the board's serial console (firmware/field/board): files put on it, and all that it says into a log
terminal.py    the terminal, behind these
target.py      the target: all other parts are those of `unix` (hil/bench.py)
first.py       the run that failed last, which is played first next time
vm_board.py    what stands in for a board: the real VM behind ptys
blank.py       such a board with nothing on its flash, for the technician's tool
stand_in.py    a bench without a board, its supply a relay of pymodbus
cli.py         `wattline hil bench`
"""
