"""What platforms have told a sink to remember, in its own file: times, passwords, keys, what is stopped.

A platform may change a password, a key, an MN; platform.toml says with what it began. Nothing here is ever shown.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from dataclasses import replace

from gateway.forward.hj212.mapping import INSTANT, STATE, Mapping, Station
from gateway.forward.outbox import Outbox

OVER_TIME, RE_COUNT = "over_time_s", "re_count"  # of CN 1000


class Memory:
    """Of one sink. By MN as platform.toml has it, so that it survives a change of MN."""

    def __init__(self, outbox: Outbox, mapping: Mapping) -> None:
        self._outbox = outbox
        self._texts = outbox.texts()
        self.mapping = replace(mapping, stations={name: self._now(one) for name, one in mapping.stations.items()})
        self._origin = {self.mapping.stations[name].mn: one.mn for name, one in mapping.stations.items()}
        self._by_mn = {one.mn: one for one in self.mapping.stations.values()}

    def station(self, mn: str) -> Station | None:
        """The station that the platform calls so now."""
        return self._by_mn.get(mn.upper())

    def number(self, name: str) -> int | None:
        """A number that was remembered."""
        text = self._texts.get(name)
        return int(text) if text else None

    def keys(self, mn: str) -> list[bytes]:
        """The station's SM4 keys: the one in use, then the one before it, for what is under way."""
        station = self.station(mn)
        if station is None or station.key is None:
            return []
        before = self._texts.get(f"key_before.{self._origin[station.mn]}")
        return [station.key, *([bytes.fromhex(before)] if before else [])]

    def stopped(self, mn: str) -> list[str]:
        """Of which CN the platform wants none of this station (2012, 2022)."""
        at = f"stopped.{self._origin.get(mn, mn)}."
        return [cn for cn in (INSTANT, STATE) if self._texts.get(at + cn)]

    def remember(self, texts: Map[str, str]) -> None:
        """Keep these, durably."""
        self._outbox.remember(texts)
        self._texts |= texts

    def stop(self, station: Station, cn: str, *, stopped: bool) -> None:
        """Send no more of these, or send them again."""
        self.remember({f"stopped.{self._origin[station.mn]}.{cn}": "1" if stopped else ""})

    def set_password(self, station: Station, pw: str) -> None:
        """CN 1072."""
        self.remember({f"pw.{self._origin[station.mn]}": pw})
        self._put(replace(station, pw=pw))

    def set_key(self, station: Station, key: bytes, made: str) -> None:
        """CN 1014. The one before it is kept, to read what is under way."""
        origin = self._origin[station.mn]
        before = (station.key or b"").hex()
        self.remember({f"key.{origin}": key.hex(), f"key_before.{origin}": before, f"key_made.{origin}": made})
        self._put(replace(station, key=key))

    def key_made(self, station: Station) -> str:
        """When the platform said that the key was made; "" for the first one."""
        return self._texts.get(f"key_made.{self._origin[station.mn]}", "")

    def set_mn(self, station: Station, mn: str) -> None:
        """CN 1002: from the sink's next start on."""
        self.remember({f"mn.{self._origin[station.mn]}": mn})

    def _now(self, station: Station) -> Station:
        texts = self._texts
        key = texts.get(f"key.{station.mn}")
        return replace(
            station,
            mn=texts.get(f"mn.{station.mn}", station.mn),
            pw=texts.get(f"pw.{station.mn}", station.pw),
            key=bytes.fromhex(key) if key else station.key,
        )

    def _put(self, station: Station) -> None:
        self.mapping.stations[station.terminal] = station
        self._by_mn[station.mn] = station
