# Runs the test functions of one file on MicroPython, which has no pytest, and prints one line for each.
#
#   micropython tests/vm/run.py tests/vm/test_frame.py
#
# A line is "PASS name" or "FAIL name" (the traceback follows); the last line is "END passed failed". Without that last
# line the interpreter died.
import sys


def module_of(path: str) -> object:
    folder, _, name = path.rpartition("/")
    sys.path.insert(0, folder or ".")
    return __import__(name[: -len(".py")])


def run(module: object) -> None:
    passed = failed = 0
    for name in sorted(dir(module)):
        test = getattr(module, name)
        if not name.startswith("test_") or not callable(test):
            continue
        try:
            test()
        except Exception as error:
            failed += 1
            print("FAIL", name)
            sys.print_exception(error, sys.stdout)  # type: ignore[attr-defined]
        else:
            passed += 1
            print("PASS", name)
    print("END", passed, failed)


run(module_of(sys.argv[1]))
