"""Inputs once more: `python -m tests.fuzz.replay [FILE or FOLDER ...]`, without arguments the kept corpus.

A `.hex` or `.txt` file has one input a line, in hex; any other file is one input. Ends at the first difference.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from cext import decoder
from tests.fuzz import inputs


def inputs_of(path: Path) -> Iterator[bytes]:
    """All inputs of a file or folder."""
    if path.is_dir():
        for file in sorted(path.iterdir()):
            yield from inputs_of(file)
    elif path.suffix in (".hex", ".txt"):
        yield from (bytes.fromhex(line) for line in path.read_text(encoding="utf-8").split())
    else:
        yield path.read_bytes()


def main() -> None:
    """See above."""
    count = 0
    for path in map(Path, sys.argv[1:] or [str(inputs.CORPUS)]):
        for data in inputs_of(path):
            inputs.try_one(data)
            count += 1
    print(f"{count} inputs: the decoders agree ({decoder.__file__})")


if __name__ == "__main__":
    main()
