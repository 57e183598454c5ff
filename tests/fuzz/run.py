"""Coverage-guided fuzzing: `python -m tests.fuzz.run [--seconds N] [--seed N]`, in a venv with atheris.

The Python codec is what is instrumented: an input is kept, in build/fuzz/corpus, when it takes a new way through the
rules. Each input goes through it and through the compiled decoder, sealed, and must give the same. A finding is written
below build/fuzz/findings and ends the run with the command that replays it. (The sanitizers' run-time library takes the
fuzzer's counters for its own: so `make fuzz` replays what was kept under the sanitizers afterwards.)
"""

import argparse
import hashlib
import random
import shutil
import sys
import time
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["protocol"]):
    from cext import decoder
    from tests.cext.mutation import mutated
    from tests.fuzz import inputs

FOLDER = Path("build/fuzz")
INPUT_BYTES_MAX = 2048  # room for a window of 32 points; longer inputs only make it slower


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument(
        "--seed", type=int, default=time.time_ns() % 2**31 + 1, help="of libFuzzer; 0 is its own choice"
    )
    return parser.parse_args()


def mutate(data: bytes, size_max: int, seed: int) -> bytes:
    """Half of the mutations are libFuzzer's, half put pieces of CBOR where they hurt."""
    rnd = random.Random(seed)
    if not data or rnd.random() < 0.5:
        changed: bytes = atheris.Mutate(data, size_max)
        return changed
    return (data[:1] + mutated(rnd, data[1:]))[:size_max]


def try_one(data: bytes) -> None:
    """As inputs.try_one; a finding says what replays it."""
    try:
        inputs.try_one(data)
    except BaseException:
        file = FOLDER / "findings" / f"{hashlib.sha256(data).hexdigest()[:16]}.hex"
        file.write_text(data.hex() + "\n", encoding="utf-8")
        print(f"\n!! finding; replay: .venv/bin/python -m tests.fuzz.replay {file}", flush=True)
        raise


def seeds(folder: Path) -> Path:
    """The corpus as files, as libFuzzer wants it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, one in enumerate(inputs.kept()):
        (folder / f"{number:05}").write_bytes(one)
    return folder


def main() -> None:
    """See above."""
    options = arguments()
    (FOLDER / "findings").mkdir(parents=True, exist_ok=True)
    grown = FOLDER / "corpus"
    grown.mkdir(exist_ok=True)
    print(f"fuzzing {options.seconds} s, seed {options.seed}, {decoder.__file__}", flush=True)
    words = [f"-max_total_time={options.seconds}", f"-seed={options.seed}", f"-max_len={INPUT_BYTES_MAX}"]
    words += ["-timeout=10", "-print_final_stats=1", f"-artifact_prefix={FOLDER}/findings/"]
    atheris.Setup([sys.argv[0], *words, str(grown), str(seeds(FOLDER / "seeds"))], try_one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
