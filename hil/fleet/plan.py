"""What a province sends: each terminal's key and frames, sealed before anything is measured."""

import random
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from hil.benchmarks.ingest.load import BOOT, EPOCH, names
from hil.benchmarks.realistic import NOMINAL_W, START_WH, windows
from protocol import frame, limits, mac
from protocol.host import strict

POINTS_MAX = 32  # of a terminal: gateway/registry.py
ENVELOPE_BYTES = 96  # of a frame, at most, beside its records
FOLDER = Path(__file__).parent / "files"
WINDOWS_AN_HOUR = 4
TERMINALS_MAX = 20_000  # each has a connection and some MiB of frames here
_APART_WH = 100_000  # between the registers of two terminals, so that no two records are alike
_UINT32 = b"\x1a"  # CBOR's head of an integer of four bytes


class Province(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """So many terminals with so many points in all; each has kept its windows for `backlog`, to the one just closed."""

    name: str
    title: str
    title_zh: str
    terminals: Annotated[int, msgspec.Meta(ge=1, le=TERMINALS_MAX)]
    points: Annotated[int, msgspec.Meta(ge=1, le=POINTS_MAX * TERMINALS_MAX)]
    backlog: Annotated[str, msgspec.Meta(pattern=r"^([0-9]|[1-9][0-9]|[1-6][0-9]{2}|7[0-3][0-9]|74[0-4]) ?h$")] = "0h"
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 1

    @property
    def windows(self) -> int:
        """How many each terminal has to send."""
        return max(1, WINDOWS_AN_HOUR * int(self.backlog.removesuffix("h")))

    def points_of(self, number: int) -> int:
        """Of the terminal with this number: all have the same, give or take one."""
        each, more = divmod(self.points, self.terminals)
        return each + (number < more)


class Prepared(NamedTuple):
    """A terminal, and its frames by the numbers of their records; the first of them is the newest window alone."""

    name: str
    secret: bytes
    points: int
    frames: Mapping[tuple[int, ...], bytes]


class _Template(NamedTuple):
    """A record, and where in it the first point's energy register stands."""

    raw: bytes
    at: int
    energy_wh: int

    def of(self, number: int) -> bytes:
        """That of the terminal with this number."""
        energy_wh = self.energy_wh + _APART_WH * number
        return self.raw[: self.at] + energy_wh.to_bytes(4, "big") + self.raw[self.at + 4 :]


def provinces() -> list[str]:
    """Those that come with the bench."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str, changes: Mapping[str, object]) -> Province:
    """The province of that name with other values for some keys. Raises protocol.host.strict.ConfigError."""
    path = FOLDER / f"{name}.toml"
    if name not in provinces():
        text = f'no province "{name}" / 没有; there are / 可用: {", ".join(provinces())}'
        raise strict.ConfigError([strict.Problem(path, "", text)])
    given = {**tomllib.loads(path.read_text(encoding="utf-8")), **changes}
    found = strict.convert(given, Province, path)
    if not found.terminals <= found.points <= POINTS_MAX * found.terminals:
        text = f"{found.points}: each terminal has 1 to {POINTS_MAX} / 每台终端 1 至 {POINTS_MAX} 点"
        raise strict.ConfigError([strict.Problem(path, "points", text)])
    return found


def prepare(province: Province, now_s: int) -> Iterator[Prepared]:
    """Each terminal of a province, in order."""
    rnd = random.Random(f"{province.seed}:keys")

    @cache
    def templates(points: int) -> list[_Template]:
        return [_template(raw, n) for n, raw in enumerate(windows(province.windows, province.seed, now_s, points))]

    for number, name in enumerate(names(province.terminals)):
        secret, points = rnd.randbytes(32), province.points_of(number)
        records = [one.of(number) for one in templates(points)]
        key = mac.Key(secret, 1)
        frames = {
            numbers: frame.seal_frame(key, name, EPOCH, BOOT, 1 + at, [records[one] for one in numbers])
            for at, numbers in enumerate(_numbers(records))
        }
        yield Prepared(name, secret, points, frames)


def _numbers(records: Sequence[bytes]) -> list[tuple[int, ...]]:
    """Of each frame: the newest record alone, then the others, the oldest first, as many as a frame holds."""
    most = max(1, (limits.FRAME_BYTES_MAX - ENVELOPE_BYTES) // max(len(raw) for raw in records))
    last = len(records) - 1
    return [(last,), *(tuple(range(at, min(at + most, last))) for at in range(0, last, most))]


def _template(raw: bytes, number: int) -> _Template:
    energy_wh = START_WH + NOMINAL_W[0] * number // 4
    pattern = _UINT32 + energy_wh.to_bytes(4, "big")
    # the points stand in their order: the first such bytes are the first point's
    return _Template(raw, raw.index(pattern) + 1, energy_wh)
