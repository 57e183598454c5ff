# Releases for tests on both interpreters: out of the vectors, whose bundles anybody can read.
# mypy: allow-any-generics
import gc
import json

import protocol
from protocol import cbor

FOLDER = protocol.__file__.replace("__init__.py", "") + "vectors/update/"


def vectors(name: str) -> list:
    gc.collect()
    with open(FOLDER + name) as file:
        return json.load(file)["vectors"]  # type: ignore[no-any-return]


def split(vector: dict) -> "tuple[bytes, bytes]":
    """(signed manifest, payload) of a vector's bundle."""
    data = bytes.fromhex(vector["bundle"])
    reader = cbor.Reader(data)
    reader.array(2, 2)
    begin, end = reader.bstr(1, 4096)
    at, until = reader.bstr(1, 1 << 20)
    return data[begin:end], data[at:until]
