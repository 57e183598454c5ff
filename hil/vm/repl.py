"""A board's console on the VM, whose unix port has no raw REPL: runs main.py, and takes commands when that has ended.

Ctrl-C interrupts, Ctrl-A begins the raw REPL; there, code and Ctrl-D is run, in raw paste mode too. Ctrl-D alone is a
soft reset: this program ends, and whoever stands in for the board starts it again; with SOFT_RESET_RAW it is told to
be at the raw prompt at once, for a soft reset in raw mode runs no main.py (docs.micropython.org: MicroPython remote
control, raw mode).

Environment: WATTLINE_CODE, a flash image whose file system is the root, as on a board (code_flash.py); WATTLINE_RAW,
this start follows a soft reset in raw mode.
"""

import os
import sys

SOFT_RESET_RAW = 3  # the exit status
_CTRL_A, _CTRL_B, _CTRL_C, _CTRL_D, _CTRL_E = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"
_CODE_MAX = 65536
_WINDOW = 128  # bytes of raw paste mode that are taken before more is asked for
_PROMPT = b"raw REPL; CTRL-B to exit\r\n>"
_names = {"__name__": "__main__"}


def say(data: bytes) -> None:
    sys.stdout.buffer.write(data)


def hear() -> bytes:
    char = sys.stdin.buffer.read(1)
    if not char:
        raise EOFError
    return char


def run_main() -> None:
    try:
        import main  # noqa: PLC0415  the terminal's own

        main.main()
    except (KeyboardInterrupt, SystemExit, ImportError) as error:
        if isinstance(error, ImportError):  # a blank board has none
            print(error)


def run(code: bytes) -> None:
    try:
        exec(code, _names)  # noqa: S102  this is what a REPL is for
        say(_CTRL_D)
    except BaseException as error:  # noqa: BLE001  all of them are said
        say(_CTRL_D)
        sys.print_exception(error, sys.stdout)  # type: ignore[attr-defined]  # MicroPython's
    say(_CTRL_D + b">")


def pasted() -> "bytes | None":
    # what comes in raw paste mode; None: something else was meant
    if hear() + hear() != b"A" + _CTRL_A:
        return None
    say(b"R\x01" + bytes((_WINDOW, 0)) + _CTRL_A)
    code, taken = b"", 0
    while True:
        char = hear()
        if char == _CTRL_D:
            say(_CTRL_D)
            return code
        code += char
        taken += 1
        if taken == _WINDOW:
            say(_CTRL_A)
            taken = 0


def raw() -> bool:
    # True: a reset is asked for
    say(_PROMPT)
    code = b""
    while True:
        try:
            char = hear()
            if char == _CTRL_E and not code:
                code = pasted() or b""
                if code:
                    run(code)
                code = b""
            elif char == _CTRL_D and code:
                say(b"OK")
                run(code)
                code = b""
            elif char == _CTRL_D:
                say(b"OK\r\nMPY: soft reboot\r\n")
                return True
            elif char == _CTRL_B:
                return False
            elif char == _CTRL_A:
                code = b""
                say(_PROMPT)
            elif len(code) < _CODE_MAX and (code or char not in b"\r\n"):
                code += char
        except KeyboardInterrupt:
            code = b""


def repl() -> None:
    while True:
        try:
            say(b"\r\n>>> ")
            char = hear()
            if char == _CTRL_A and raw():
                sys.exit(SOFT_RESET_RAW)
            if char == _CTRL_D:
                return
        except KeyboardInterrupt:
            continue


def start() -> None:
    code = os.getenv("WATTLINE_CODE")
    if code:
        import code_flash  # noqa: PLC0415  beside this file

        code_flash.mount(code)
    if os.getenv("WATTLINE_RAW"):
        if raw():
            sys.exit(SOFT_RESET_RAW)
    else:
        run_main()
    repl()


try:
    start()
except EOFError:
    sys.exit(0)
