"""HJ 212 platforms of both editions, as victims."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from hil.abuse.load import POINTS, TERMINALS, Truth
from hil.abuse.verdict import Name
from hil.bench import Platform
from hil.link import Link
from hil.oracle.sources import read_rows

PW = "831027"
BEIJING = timezone(timedelta(hours=8))
# of each edition: the system code, the command, the attributes of power, whether DataTime is the period's start
EDITIONS = {2017: ("32", "2051", ("Min", "Avg", "Max"), True), 2025: ("44", "2011", ("Rtd",), False)}
_FIELDS = {"Min": "p_min_w", "Avg": "p_mean_w", "Max": "p_max_w", "Rtd": "p_mean_w"}
CONNECTIONS = 3


def mn_of(terminal: str) -> str:
    """The station's id."""
    return f"{0x10000A8900016F000169DC0 + TERMINALS.index(terminal):024X}"


class Hj212:
    """The emulator as a process, behind a link. It counts by (MN, CN, DataTime): a refeed tells it again."""

    copies_of_refeed = 1
    sees_put_back = False
    forgets = False
    disk = None

    def __init__(self, folder: Path, edition: int) -> None:
        self.name = f"hj212-{edition}"
        self._edition = edition
        self._platform = Platform(folder)
        self.link = Link(folder / "link", self._platform.port)
        self._mapping = folder / "platform.toml"
        self._mapping.write_text(self._mapping_text(), encoding="utf-8")

    @property
    def port(self) -> int:
        """See Victim."""
        return self._platform.port

    def _mapping_text(self) -> str:
        st, _, attributes, _ = EDITIONS[self._edition]
        text = f"edition = {self._edition}\nrestarts = false\n"
        shown = ", ".join(f'"{one}"' for one in attributes)
        for name in TERMINALS:
            text += f'[[station]]\nterminal = "{name}"\nmn = "{mn_of(name)}"\nst = "{st}"\npw = "{PW}"\n'
            for point in range(1, POINTS + 1):
                text += f'[[station.item]]\npoint = {point}\ncode = "i332{point:02d}"\nquantity = "p"\n'
                text += f"attributes = [{shown}]\n"
        return text

    def section(self) -> str:
        """See Victim."""
        return (
            f'[[sink]]\nname = "{self.name}"\nkind = "hj212"\nhost = "127.0.0.1"\nport = {self.link.port}\n'
            f'mapping = "{self._mapping}"\nanswer_timeout_ms = 1000\nreconnect_min_ms = 100\nreconnect_max_ms = 1000\n'
            f"connections = {CONNECTIONS}\n"
        )

    def start(self) -> None:
        """See Victim."""
        if not self.link.port:
            self.link.start()
        self._platform.start()

    def stop(self) -> None:
        """See Victim."""
        self._platform.process.stop()

    def kill(self) -> None:
        """See Victim."""
        self._platform.process.kill()

    def keep(self, to: Path) -> None:
        """See Victim."""
        self._platform.journal.touch()
        shutil.copyfile(self._platform.journal, to)

    def put_back(self, kept: Path) -> None:
        """See Victim."""
        shutil.copyfile(kept, self._platform.journal)

    def expected(self, made: Iterable[Truth]) -> Mapping[Name, Any]:
        """See Victim."""
        return {(mn_of(one.terminal), self._data_time(one)): self._values(one) for one in made}

    def _data_time(self, one: Truth) -> str:
        is_start = EDITIONS[self._edition][3]
        last_s = min(reading.last_s or 0 for reading in one.readings)
        time_s = one.start_s if is_start else one.start_s + 900 - last_s
        return datetime.fromtimestamp(time_s, BEIJING).strftime("%Y%m%d%H%M%S")

    def _values(self, one: Truth) -> dict[str, str]:
        found: dict[str, str] = {}
        for point, reading in enumerate(one.readings, start=1):
            for attribute in EDITIONS[self._edition][2]:
                value_w = getattr(reading, _FIELDS[attribute])
                found[f"i332{point:02d}-{attribute}"] = f"{value_w // 1000}.{value_w % 1000 // 10:02d}"
            found[f"i332{point:02d}-Flag"] = "N"
        return found

    def held(self) -> Iterator[tuple[Name, Any]]:
        """One for each exchange (QN) in which it was told."""
        _, cn, _, _ = EDITIONS[self._edition]
        seen = set()
        for row in read_rows(self._platform.journal):
            if row["kind"] != "upload" or row["cn"] != cn or (row["mn"], row["qn"]) in seen:
                continue
            seen.add((row["mn"], row["qn"]))
            values = {name: value for item in row["cp"] for name, value in item}
            yield (row["mn"], values.pop("DataTime")), values

    def close(self) -> None:
        """See Victim."""
        self._platform.process.kill()
        self.link.process.kill()
