# Releases for tests on both interpreters: out of the vectors, whose bundles anybody can read.
# mypy: allow-any-generics
import gc
import json

import protocol
from protocol import cbor

_HAS_LITTLE = hasattr(gc, "mem_alloc")  # MicroPython; elsewhere a collection takes a tenth of a second
FOLDER = protocol.__file__.replace("__init__.py", "") + "vectors/update/"


def vectors(name: str):  # type: ignore[no-untyped-def]
    """Each of a file, which has one a line: all at once would take half of a heap."""
    with open(FOLDER + name) as file:
        for line in file:
            if line.startswith('  {"id"'):
                if _HAS_LITTLE:
                    gc.collect()
                yield json.loads(line.rstrip().rstrip(","))


def vector(name: str, at: int) -> dict:
    """One of a file."""
    for number, one in enumerate(vectors(name)):
        if number == at:
            return one  # type: ignore[no-any-return]
    raise IndexError(at)


def split(vector: dict) -> "tuple[bytes, bytes]":
    """(signed manifest, payload) of a vector's bundle."""
    data = bytes.fromhex(vector["bundle"])
    reader = cbor.Reader(data)
    reader.array(2, 2)
    begin, end = reader.bstr(1, 4096)
    at, until = reader.bstr(1, 1 << 20)
    return data[begin:end], data[at:until]
