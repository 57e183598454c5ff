"""Python with cext under the sanitizers: `python -m tests.cext.sanitized WORDS...` runs `python WORDS...` like that."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
SANITIZED = REPO / "build/sanitized"


def runtime() -> str:
    """gcc's own libasan, which must be loaded before Python."""
    asked = ["gcc", "-print-file-name=libasan.so"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    assert Path(found).is_absolute(), f"gcc has no libasan ({found}); on Debian libgcc-12-dev brings it"
    return found


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Python with the sanitized cext instead of the other; findings go to files in `folder`, past pytest's capture."""
    log = f"log_path={folder}/finding"
    extra = {
        "LD_PRELOAD": runtime(),
        # CPython keeps interned objects until it ends, and each would be reported; test_columns.py measures our own
        "ASAN_OPTIONS": f"detect_leaks=0:{log}",
        "UBSAN_OPTIONS": f"print_stacktrace=1:{log}",
        "PYTHONMALLOC": "malloc",  # each bytes object is a block of its own, with a forbidden zone around it
        "PYTHONPATH": os.pathsep.join((str(SANITIZED), str(REPO))),
    }
    env = {
        name: value for name, value in os.environ.items() if name != "CI"
    } | extra  # CI's many examples: once is enough
    command = [sys.executable, "-P", *words]
    return subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, check=False, timeout=900)


def findings(folder: Path) -> str:
    """What the sanitizers wrote."""
    return "".join(file.read_text(encoding="utf-8") for file in sorted(folder.glob("finding*")))


def main() -> int:
    """See above."""
    with tempfile.TemporaryDirectory() as folder:
        done = run(Path(folder), *sys.argv[1:])
        print(done.stdout, done.stderr, findings(Path(folder)), sep="")
        return done.returncode


if __name__ == "__main__":
    sys.exit(main())
