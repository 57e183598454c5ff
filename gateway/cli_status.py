"""`wattline gateway status`: what the stores hold."""

import sqlite3
from pathlib import Path
from typing import Any, cast

import typer

from gateway.cli_common import AsJson, Config, examples, line_text, load, open_journal, print_json, time_text
from gateway.clock import SystemClock
from gateway.config import GatewayConfig, JournalConfig
from gateway.database import schema_version
from gateway.forward import outbox
from gateway.jetstream.status import status as stream_status
from gateway.journal.journal import FILE
from gateway.journal.reader import Reader
from gateway.quarantine.quarantine import QuarantineReader
from gateway.rotation import certificates, changes
from gateway.rotation import store as rotation
from gateway.rotation.changes import Change
from gateway.updates import rollouts, stages
from gateway.updates import store as updates
from gateway.wanted import configurations, requests
from gateway.wanted.configurations import Version
from gateway.wanted.store import looking
from protocol.host import program

NAMES_SHOWN = 10  # on a line for a person; --json has them all
_LINES = (
    "stream",
    "journal",
    "retention",
    "quarantine",
    "unknown",
    "findings",
    "asked",
    "updates",
    "keys",
    "certificates",
)


def status(config: Config, as_json: AsJson = False) -> None:
    """What the journal, quarantine and sinks hold now, what is asked of terminals and what they were told. 状态

    program: its version and commit.

    updates: rollouts that are not over. keys: changes of terminals' keys, by how far they have come. certificates:
    likewise; ending: of those that we have sent and that are in force, how many end within 30 days.

    findings: epochs_back, frames of a log that is not the terminal's newest; records_missing, numbers that terminals
    gave to records, that never came and were asked for; records_given_up, those of which nothing came when asked.
    """
    loaded = load(config)
    folder = Path(loaded.data_dir)
    found: dict[str, Any] = {"program": program.this().text()}
    found |= {} if loaded.jetstream is None else {"stream": stream_status(loaded.jetstream)}
    if loaded.jetstream is None or (folder / FILE).exists():
        found |= _journal_status(loaded)
    else:  # a worker's
        found |= _quarantine_status(folder)
    if as_json:
        print_json(found)
        return
    typer.echo(f"program: wattline {found['program']}")
    for section in _LINES:
        if section in found:
            typer.echo(f"{section}: {line_text(found[section])}")
    if "configurations" in found:
        typer.echo(f"configurations: {line_text(_brief(found['configurations']))}")
    for name, state in found.get("sinks", {}).items():
        typer.echo(f"sink {name}: {line_text(state)}")


def _journal_status(loaded: GatewayConfig) -> dict[str, Any]:
    """What there is on a machine that has a journal."""
    folder = Path(loaded.data_dir)
    reader = open_journal(folder)
    newest, journal = reader.last_id(), reader.counts()
    found: dict[str, Any] = {"journal": journal, "retention": _retention(loaded.journal, reader)}
    reader.close()
    found |= {**_quarantine_status(folder), **_wanted_status(folder, journal.pop("epochs_back", 0))}
    found |= {"updates": _updates_status(folder), **_rotation_status(folder), "sinks": {}}
    for sink in loaded.sink:
        state = outbox.status(folder, sink.name)
        found["sinks"][sink.name] = {**state, "lag": newest - cast("int", state["settled"])}
    return found


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status", epilog=examples("status --config gateway.toml", "status --config gateway.toml --json"))(
        status
    )


def _retention(config: JournalConfig, reader: Reader) -> dict[str, Any]:
    """What is kept, up to which record and reception it was retired, and the chain's head."""
    retired_ms = reader.retired_ms()
    return {
        "keep_days": config.keep_days,
        "keep_mib": config.keep_mib,
        "retired_to_record": reader.start().record,
        "retired_received_until": time_text(retired_ms) if retired_ms else None,
        "head": str(reader.head()),
    }


def _quarantine_status(folder: Path) -> dict[str, Any]:
    try:
        store = QuarantineReader(folder)
    except sqlite3.OperationalError:
        return {"quarantine": {}, "unknown": {"terminals": 0}}
    found = {"quarantine": store.counts(), "unknown": {"terminals": len(store.unknown())}}
    store.close()
    return found


def _wanted_status(folder: Path, epochs_back: int) -> dict[str, Any]:
    """Findings; what is asked of terminals; by state, the terminals whose newest configuration is not in force."""
    with looking(folder) as connection:
        asked = dict.fromkeys(("open_terminals", requests.OPEN, *requests.OUTCOMES), 0)
        states: dict[str, list[str]] = {
            state: [] for state in (configurations.PENDING, configurations.REFUSED, configurations.ROLLED_BACK)
        }
        if connection is not None:
            asked = requests.counts(connection)
            for one in configurations.last_of_each(connection):
                if one.state in states:
                    states[one.state].append(one.terminal)
    findings = {
        "epochs_back": epochs_back,
        "records_missing": asked[requests.OPEN],
        "records_given_up": asked[requests.GIVEN_UP],
    }
    return {"findings": findings, "asked": asked, "configurations": states}


def _updates_status(folder: Path) -> dict[str, int]:
    """How many rollouts run, and how many have halted."""
    with updates.looking(folder) as connection:
        found = [] if connection is None else rollouts.unfinished(connection)
    return {state: sum(one.state == state for one in found) for state in stages.OPEN}


def _rotation_status(folder: Path) -> dict[str, dict[str, int]]:
    """How many terminals' last change of key, and newest certificates, are in which state."""
    states = (configurations.PENDING, *configurations.STATES.values())
    keys, versions, ending = list[Change](), list[Version](), list[str]()
    with rotation.looking(folder) as connection:
        if connection is not None:
            keys = changes.every(connection)
        if connection is not None and schema_version(connection) >= rotation.CERTIFICATES_SINCE:
            versions = configurations.last_of_each(connection)
            ending = certificates.ending(connection, SystemClock().now_ms())
    return {
        "keys": {state: sum(one.state == state for one in keys) for state in changes.STATES},
        "certificates": {state: sum(one.state == state for one in versions) for state in states}
        | {"ending": len(ending)},
    }


def _brief(states: dict[str, list[str]]) -> dict[str, str]:
    """How many terminals, and the first of them by name."""
    found = {}
    for state, names in states.items():
        more = " ..." if len(names) > NAMES_SHOWN else ""
        named = f" ({' '.join(names[:NAMES_SHOWN])}{more})" if names else ""
        found[state] = f"{len(names)}{named}"
    return found
