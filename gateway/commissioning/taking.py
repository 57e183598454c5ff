"""A technician's document taken by a gateway's files: what the command and the console do."""

from contextlib import closing
from datetime import datetime
from pathlib import Path

from gateway import registry, registry_edit
from gateway.commissioning import admission, sealing_key, technicians
from gateway.config import GatewayConfig
from gateway.journal.spans import Spans
from gateway.rotation import keyring
from gateway.rotation.store import looking
from protocol.host.commissioning import Enrolment

FOLDER = "commissioning"  # in data_dir: documents that were taken


def take(config: GatewayConfig, data: bytes, now: datetime) -> tuple[str, str]:
    """Take an enrolment or a report: (terminal, which of the two). now: the gateway's clock.

    Raises admission.RefusedError, ConfigError, OSError, ValueError (our sealing key can't be used); of the journal
    sqlite3.Error, OlderSchemaError, NewerSchemaError.
    """
    known = technicians.load(Path(config.commissioning.technicians))
    wrapping = registry.wrapping_at(Path(config.terminals))
    with looking(Path(config.data_dir)) as connection:
        agreed = keyring.newest(connection)
    standing = admission.Standing(Path(config.terminals), Path(config.data_dir) / FOLDER, known, wrapping, agreed)
    found, _ = admission.open_document(data, known)
    with registry_edit.alone(standing.terminals):
        if isinstance(found, Enrolment):
            private = sealing_key.load(Path(config.commissioning.sealing_key_file), wrapping)
            admission.admit_enrolment(standing, data, private)
            return found.terminal, "enrolment"
        admission.admit_report(standing, data, lambda *name: _has_record(Path(config.data_dir), *name), now)
        return found.terminal, "report"


def _has_record(folder: Path, terminal: str, epoch: int, seq: int) -> bool:
    with closing(Spans(folder)) as spans:
        row = spans.terminals().get(terminal)
        return row is not None and seq in spans.numbers(row, epoch, seq, seq)
