"""A configuration's document, from the file that an operator wrote: checked as the terminal will, and as it is sent."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gateway.registry import Terminal
from protocol import configuration
from protocol.checked import ConfigError, Table

FILE_BYTES_MAX = 65_536  # with all the blanks that somebody may like; what is sent has 4,000 at most


def document_of(file: Path, base: Path | None, terminals: Iterable[Terminal]) -> bytes:
    """The document for these terminals. base: their own terminal.json, for a check of both together.

    Raises ConfigError with file, key and what is allowed; OSError.
    """
    found = _read(file)
    document = json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()
    configuration.read_document(document, file.name)
    if base is not None:
        name = f"{base.name} + {file.name}"
        whole = Table(name, "", {**_object(base, _read(base)), **found})
        _, buses, points, _ = configuration.read_members(whole)
        configuration.check_together(name, buses, points)
    for one in terminals:
        _check_points(file, found, one)
        _check_ratios(file, found, one)
    return document


def _check_points(file: Path, found: dict[str, Any], terminal: Terminal) -> None:
    """A point that terminals.toml does not have would be marked as unknown in each window."""
    for at, point in enumerate(found.get("points", ()) if terminal.points else ()):
        if point["number"] not in terminal.points:
            known = ", ".join(map(str, sorted(terminal.points)))
            allowed = f"a point of {terminal.id} in terminals.toml: {known}"
            raise ConfigError(file.name, f"points[{at}].number", point["number"], allowed)


def _check_ratios(file: Path, found: dict[str, Any], terminal: Terminal) -> None:
    """What was commissioned is what is measured by (S-29): other ratios need another report."""
    for bus_at, bus in enumerate(found.get("buses", ())):
        for at, meter in enumerate(bus["meters"]):
            point = terminal.points.get(meter["point"])
            for name in ("ct_ratio", "pt_ratio"):
                commissioned = getattr(point, name, None)
                if commissioned is not None and meter[name] != commissioned:
                    allowed = (
                        f"{commissioned}, as {terminal.id}/{meter['point']} was commissioned; else commission anew"
                    )
                    raise ConfigError(file.name, f"buses[{bus_at}].meters[{at}].{name}", meter[name], allowed)


def _read(file: Path) -> Any:
    with file.open("rb") as stream:
        data = stream.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise ConfigError(file.name, "(file)", "too long", f"at most {FILE_BYTES_MAX} bytes")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        for name in found:
            if sum(key == name for key, _ in pairs) > 1:
                raise ConfigError(file.name, name, "twice", "each key once in an object")
        return found

    try:
        return json.loads(data, object_pairs_hook=once)
    except UnicodeDecodeError as error:
        raise ConfigError(file.name, "(file)", f"byte {error.start}", "UTF-8") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise ConfigError(file.name, "(file)", str(error), "JSON") from error


def _object(file: Path, found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ConfigError(file.name, "(top)", found, "an object")
    return found
