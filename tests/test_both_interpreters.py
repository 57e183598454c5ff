"""The tests of tests/vm run under pytest like any others; here they run once more on both MicroPython VMs.

Each (interpreter, file, test) is a pytest item of its own; a file runs once per interpreter, in a fresh process.
"""

import ast
import functools
import os
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
VMS = ("vm64", "vm32")
# A file of pure logic takes well under a second; a VM that hangs is not to hang the suite.
TIMEOUT_S = 120


def test_names(file: Path) -> list[str]:
    """The names of a file's test functions, found without importing it."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


test_names.__test__ = False  # type: ignore[attr-defined]  # a helper, in spite of its name


def program_of(vm: str) -> Path:
    """The interpreter's executable; a missing one is a failure, never a skip."""
    program = REPO / "build" / vm / "micropython"
    if not program.exists():
        pytest.fail(f"build/{vm}/micropython is missing; run: make setup", pytrace=False)
    return program


@functools.cache
def results(vm: str, file: Path) -> dict[str, str]:
    """What each test of the file printed on that interpreter, its PASS or FAIL line first; "" names what came last."""
    done = subprocess.run(
        [program_of(vm), REPO / "tests/vm/run.py", file],
        env={**os.environ, "MICROPYPATH": f"{REPO}:{REPO / 'firmware/device'}:.frozen"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT_S,
        check=False,
    )
    return by_test(done.stdout.decode(errors="replace"))


def by_test(output: str) -> dict[str, str]:
    """The runner's output, cut at its PASS, FAIL and END lines."""
    found = {"": ""}
    name = ""
    for line in output.splitlines():
        word, _, rest = line.partition(" ")
        if word in ("PASS", "FAIL", "END"):
            name = rest if word != "END" else "END"
            found[name] = word
        else:
            found[name] += "\n" + line
    return found


CASES = [
    pytest.param(vm, file, name, id=f"{vm}-{file.stem}-{name}")
    for vm in VMS
    for file in sorted((REPO / "tests/vm").glob("test_*.py"))
    for name in test_names(file)
]


@pytest.mark.parametrize(("vm", "file", "name"), CASES)
def test_on_micropython(vm: str, file: Path, name: str) -> None:
    found = results(vm, file)
    if name not in found:
        pytest.fail(f"{name} did not run; the interpreter said:{found['']}", pytrace=False)
    if not found[name].startswith("PASS"):
        pytest.fail(found[name], pytrace=False)
    if "END" not in found:
        pytest.fail(f"the interpreter ended early, after: {list(found.items())[-1]}", pytrace=False)


def test_a_file_that_cannot_be_imported_fails_with_the_interpreters_words(tmp_path: Path) -> None:
    file = tmp_path / "test_broken.py"
    file.write_text("import no_such_module\n\ndef test_x():\n    pass\n")
    for vm in VMS:
        assert "no_such_module" in results(vm, file)[""]


def test_a_failing_test_is_reported_and_the_others_run_on(tmp_path: Path) -> None:
    file = tmp_path / "test_mixed.py"
    file.write_text("def test_a():\n    assert 1 == 2, 'one is not two'\n\n\ndef test_b():\n    print('said')\n")
    for vm in VMS:
        found = results(vm, file)
        assert found["test_a"].startswith("FAIL")
        assert "one is not two" in found["test_a"]
        assert found["test_b"] == "PASS"
        assert "END" in found


def test_a_missing_interpreter_fails_and_says_what_to_run() -> None:
    """P-01"""
    with pytest.raises(pytest.fail.Exception, match="make setup"):
        program_of("vm16")
