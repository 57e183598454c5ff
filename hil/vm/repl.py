"""A board's console on the VM, whose unix port has no raw REPL: runs main.py, and takes commands when that has ended.

Ctrl-C interrupts, Ctrl-A begins the raw REPL; there, code and Ctrl-D is run, and Ctrl-D alone is a reset: this program
ends, and whoever stands in for the board starts it again (docs.micropython.org: MicroPython remote control, raw mode).
"""

import sys

_CTRL_A, _CTRL_B, _CTRL_C, _CTRL_D = b"\x01", b"\x02", b"\x03", b"\x04"
_CODE_MAX = 65536
_names = {"__name__": "__main__"}


def say(data: bytes) -> None:
    sys.stdout.buffer.write(data)


def run_main() -> None:
    try:
        import main  # noqa: PLC0415  the terminal's own

        main.main()
    except KeyboardInterrupt:
        pass
    except SystemExit:
        pass


def run(code: bytes) -> None:
    say(b"OK")
    try:
        exec(code, _names)  # noqa: S102  this is what a REPL is for
        say(_CTRL_D)
    except BaseException as error:  # noqa: BLE001  all of them are said
        say(_CTRL_D)
        sys.print_exception(error, sys.stdout)  # type: ignore[attr-defined]  # MicroPython's
    say(_CTRL_D + b">")


def raw() -> bool:
    # True: a reset is asked for
    say(b"raw REPL; CTRL-B to exit\r\n>")
    code = b""
    while True:
        try:
            char = sys.stdin.buffer.read(1)
            if not char:
                return True
            if char == _CTRL_D and code:
                run(code)
                code = b""
            elif char == _CTRL_D:
                say(b"OK\r\nMPY: soft reboot\r\n")
                return True
            elif char == _CTRL_B:
                return False
            elif char == _CTRL_A:
                code = b""
                say(b"raw REPL; CTRL-B to exit\r\n>")
            elif len(code) < _CODE_MAX:
                code += char
        except KeyboardInterrupt:
            code = b""


def repl() -> None:
    while True:
        try:
            say(b"\r\n>>> ")
            char = sys.stdin.buffer.read(1)
            if not char or (char == _CTRL_A and raw()) or char == _CTRL_D:
                return
        except KeyboardInterrupt:
            continue


run_main()
repl()
