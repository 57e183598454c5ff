"""A site plan, checked as a whole: by its own rules, and as each terminal will check what is made of it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from terminal import config, profile, sampler, update_intake

from firmware import DEVICE
from firmware.field.site import certificates
from firmware.field.site.plan import Broker, Bus, Network, Plan, Point, Terminal
from firmware.field.site.terminal_files import configuration_of, password_in
from protocol.checked import ConfigError as Refused
from protocol.host.strict import ConfigError, Problem, lines_named, read
from protocol.host.tables import duplicates

PROFILES = DEVICE / "profiles"
# A meter behind transformers takes 5 or 1 A and 20 % more (GB/T 17215.321); below a hundredth of 5 A no class of
# transformer promises anything (IEC 61869-2).
_SECONDARY_MA_MAX, _SECONDARY_MA_MIN = 6000, 50
_NO_KEY = 64 * "0"  # of the example: no point of the curve, so that nothing is ever sealed to it
_PHASE_V, _SECONDARY_PHASE_V = 230, 58  # of 400 V networks; behind voltage transformers of 100 V


@dataclass(frozen=True)
class Site:
    """A plan that was checked, the file it stands in, and the folder of the profiles that it was checked with."""

    path: Path
    plan: Plan
    profiles: Path

    def terminal(self, name: str | None) -> Terminal:
        """The terminal of this id; None: the only one. Raises ConfigError."""
        found = [one for one in self.plan.terminal if name in {None, one.id}]
        if len(found) == 1:
            return found[0]
        ids = ", ".join(one.id for one in self.plan.terminal)
        text = f"{name or 'which one / 哪一台'}?; allowed / 允许: {ids}"
        raise ConfigError([Problem(self.path, "terminal", text)])

    def broker(self, terminal: Terminal) -> Broker:
        """Where this terminal sends to."""
        return terminal.broker or self.plan.broker

    def network(self, terminal: Terminal) -> Network | None:
        """The Wi-Fi that this terminal joins."""
        return terminal.network or self.plan.network

    def file(self, name: str) -> Path:
        """A file that the plan names."""
        return self.path.parent / name


def load(path: Path, profiles: Path = PROFILES, now: datetime | None = None) -> Site:
    """The plan in a file. now: by which certificates must be in force. Raises ConfigError with every problem."""
    site = Site(path, read(path, Plan), profiles)
    with lines_named(path):
        problems = list(_problems(site, now or datetime.now(UTC)))
        if problems:
            raise ConfigError(problems)
    return site


def _problems(site: Site, now: datetime) -> Iterator[Problem]:
    path, plan = site.path, site.plan
    if plan.gateway.sealing_key == _NO_KEY:
        text = "the example's / 示例值; allowed / 允许: what `wattline gateway sealing-key` prints / 网关打印的公钥"
        yield Problem(path, "gateway.sealing_key", text)
    yield from duplicates(path, "terminal", "id", plan.terminal, lambda one: one.id)
    if plan.gateway.update_keys is not None:
        yield from _of_update_keys(site, plan.gateway.update_keys)
    if not plan.terminal:
        yield Problem(path, "terminal", "none / 没有终端; allowed / 允许: at least one / 至少一台")
    for number, terminal in enumerate(plan.terminal):
        at = f"terminal[{number}]"
        own = [*_of_terminal(path, at, terminal), *_of_profiles(site, at, terminal)]
        yield from own
        if not own:
            yield from _as_the_terminal(site, at, terminal)
        yield from _of_links(site, at, terminal, now)
    yield from _of_linkages(path, plan)


def _of_update_keys(site: Site, name: str) -> Iterator[Problem]:
    """What the terminal would refuse of them."""
    try:
        update_intake.load_keys(str(site.file(name)))
    except Refused as error:
        yield Problem(site.path, "gateway.update_keys", str(error))


def _of_terminal(path: Path, at: str, terminal: Terminal) -> Iterator[Problem]:
    yield from duplicates(path, f"{at}.bus", "uart", terminal.bus, lambda one: one.uart)
    seen: dict[int, str] = {}
    for number, bus in enumerate(terminal.bus):
        where = f"{at}.bus[{number}]"
        yield from _addresses(path, where, bus)
        for index, point in enumerate(bus.point):
            place = f"{where}.point[{index}]"
            if point.number in seen:
                text = f"{point.number}: already that of {seen[point.number]} / 测点号重复; allowed / 允许: each once"
                yield Problem(path, f"{place}.number", text)
            seen.setdefault(point.number, place)
            yield from _of_ratios(path, place, point)


def _addresses(path: Path, at: str, bus: Bus) -> Iterator[Problem]:
    """Two meters at one address: both would answer, and neither could be read."""
    seen: dict[tuple[int | str, int], str] = {}
    for index, point in enumerate(bus.point):
        key = (point.address, point.circuit)
        if key in seen:
            text = (
                f'{point.address}: already the address of "{seen[key]}" on this bus / 地址与同一总线上的测点重复; '
                "allowed / 允许: an address, or a circuit of a meter, that no other has"
            )
            yield Problem(path, f"{at}.point[{index}].address", text)
        seen.setdefault(key, point.name)


def _of_profiles(site: Site, at: str, terminal: Terminal) -> Iterator[Problem]:
    """Meters of a model that no terminal knows."""
    names = sorted(one.stem for one in site.profiles.glob("*.json"))
    for number, bus in enumerate(terminal.bus):
        for index, point in enumerate(bus.point):
            if point.profile not in names:
                text = f"{point.profile}: no such profile / 没有该电表型号; allowed / 允许: {', '.join(names)}"
                yield Problem(site.path, f"{at}.bus[{number}].point[{index}].profile", text)


def _of_ratios(path: Path, at: str, point: Point) -> Iterator[Problem]:
    """Whether rated power is a current that the meter behind these transformers can measure."""
    if point.ct_ratio == 1:  # measured directly, or the meter applies a ratio of its own
        return
    volt = _SECONDARY_PHASE_V if point.pt_ratio > 1 else _PHASE_V
    current_ma = 1000 * point.rated_power_w // (point.phases * volt * point.pt_ratio * point.ct_ratio)
    if not _SECONDARY_MA_MIN <= current_ma <= _SECONDARY_MA_MAX:
        primary_ma = current_ma * point.ct_ratio
        least = math.ceil(primary_ma / _SECONDARY_MA_MAX)
        text = (
            f"{point.ct_ratio}: at rated_power_w the meter would get {current_ma / 1000:.2f} A / "
            f"额定功率下电表电流将为 {current_ma / 1000:.2f} A; allowed / 允许: {max(1, least)} to / 到 "
            f"{max(1, primary_ma // _SECONDARY_MA_MIN)}, or another rated_power_w (W) / 或更正 rated_power_w（单位 W）"
        )
        yield Problem(path, f"{at}.ct_ratio", text)


def _as_the_terminal(site: Site, at: str, terminal: Terminal) -> Iterator[Problem]:
    """The first thing that the terminal would refuse, where it stands in the plan."""
    try:
        made = config.check(configuration_of(terminal, site.broker(terminal), site.plan.sntp))
        meters = sampler.check_buses(made.buses, str(site.profiles))
    except Refused as error:
        key = _key_here(at, error.key)
        _, _, text = str(error).partition(f"{error.key}: ")
        yield Problem(site.path, key, text)
        return
    for number, (bus, found) in enumerate(zip(terminal.bus, meters, strict=True)):
        for index, (point, meter) in enumerate(zip(bus.point, found, strict=True)):
            has = phases_of(meter.profile)
            if has < point.phases:
                text = (
                    f"3: {meter.profile.name} measures one phase / 该型号只测单相; "
                    "allowed / 允许: 1, or a three-phase meter's profile / 或换用三相电表型号"
                )
                yield Problem(site.path, f"{at}.bus[{number}].point[{index}].phases", text)


def phases_of(model: profile.Profile) -> int:
    """How many phases a meter of this model measures."""
    return 3 if model.measured("uc_dv") or model.measured("ic_ma") else 1


def _key_here(at: str, key: str) -> str:
    """The plan's key for one of terminal.json."""
    found = re.fullmatch(r"buses\[(\d+)\]\.meters\[(\d+)\]\.(\w+)", key)
    if found:
        return f"{at}.bus[{found[1]}].point[{found[2]}].{found[3]}"
    return f"{at}.{key.replace('buses', 'bus')}"


def _of_links(site: Site, at: str, terminal: Terminal, now: datetime) -> Iterator[Problem]:
    """Network and TLS files."""
    path, broker = site.path, site.broker(terminal)
    network = site.network(terminal)
    if terminal.board != "unix" and network is None:
        yield Problem(path, f"{at}.network", "missing / 缺少: this board has Wi-Fi; allowed / 允许: [network]")
    if network is not None:
        yield from _of_password(site, network)
    if (broker.server_name is None) != (broker.ca is None):
        yield Problem(path, "broker", "TLS needs both: server_name and ca / TLS 需要同时给出 server_name 与 ca")
    elif broker.server_name is not None:
        yield from certificates.problems(site.path, at, terminal, broker, now)


def _of_password(site: Site, network: Network) -> Iterator[Problem]:
    try:
        password_in(site.file(network.password_file))
    except OSError as error:
        text = f"{network.password_file}: can't be read: {error.strerror} / 无法读取"
        yield Problem(site.path, "network.password_file", text)
    except ValueError as error:
        yield Problem(site.path, "network.password_file", f"{network.password_file}: {error}")


def _of_linkages(path: Path, plan: Plan) -> Iterator[Problem]:
    yield from duplicates(path, "linkage", "name", plan.linkage, lambda one: one.name)
    roles = {f"{one.id}/{point.number}": point.role for one in plan.terminal for point in one.points}
    for number, linkage in enumerate(plan.linkage):
        for role, names in (("production", linkage.production), ("treatment", linkage.treatment)):
            key = f"linkage[{number}].{role}"
            if not names:
                yield Problem(path, key, "none / 无; allowed / 允许: at least one point / 至少一个测点")
            for name in names:
                if name not in roles:
                    yield Problem(path, key, f"{name}: no such point / 没有此测点; allowed / 允许: {', '.join(roles)}")
                elif roles[name] != role:
                    yield Problem(path, key, f"{name}: is {roles[name]}, not {role} / 测点类别不符")
