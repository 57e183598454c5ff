"""The compiled code under gcc's address and undefined-behaviour sanitizers: its tests once more."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.cext.sanitized import SANITIZED, findings, run

# what runs here again, in two processes, each of which takes about half of the time; the others are about processes and
# arguments
TESTS = [
    ["test_columns.py", "test_mqtt_stream.py", "test_hj212.py", "test_mac.py"],
    ["test_vectors.py", "test_parity.py", "test_bad_input.py", "test_pgcopy.py", "../fuzz"],
]
OPTIONS = ["-q", "-p", "no:cacheprovider", "-o", "pythonpath=build/sanitized .", "--hypothesis-profile=few"]
# the tests in this very process, with a decoder that is known to be the sanitized one
SESSION = """
import sys, pytest
from cext import decoder
assert "sanitized" in decoder.__file__
sys.exit(pytest.main(sys.argv[1:]))
"""
# a write past the end that only the sanitizer's run-time library can see
OVERFLOW = "import ctypes; ctypes.memmove(ctypes.create_string_buffer(8), b'x' * 64, 64)"


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    assert list(SANITIZED.glob("cext/decoder*.so")), "build/sanitized is missing; run: make setup"


def test_the_sanitizers_are_there_and_stop_what_is_out_of_bounds(tmp_path: Path) -> None:
    shown = run(tmp_path, "-c", "from cext import decoder; print(decoder.__file__)")
    assert Path(shown.stdout.strip()).is_relative_to(SANITIZED), shown.stderr
    library = Path(shown.stdout.strip()).read_bytes()
    assert b"__asan_report_load" in library
    assert b"__ubsan_handle" in library
    caught = run(tmp_path, "-c", OVERFLOW)
    assert caught.returncode != 0
    assert "heap-buffer-overflow" in findings(tmp_path)


@pytest.mark.slow
def test_nothing_is_read_or_written_out_of_bounds(tmp_path: Path) -> None:
    """P-21: no finding in any of its tests, mutations and random bytes included. `make fuzz` looks for longer."""

    def tested(names: list[str]) -> CompletedProcess[str]:
        return run(tmp_path, "-c", SESSION, *OPTIONS, *(f"tests/cext/{name}" for name in names))

    with ThreadPoolExecutor(len(TESTS)) as processes:
        ended = list(processes.map(tested, TESTS))
    for done in ended:
        assert done.returncode == 0, findings(tmp_path)[:5000] + done.stdout[-5000:] + done.stderr[-5000:]
        assert "passed" in done.stdout
    assert findings(tmp_path) == ""
