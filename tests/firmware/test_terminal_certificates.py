"""Bad certificates, judged by the terminal's real TLS and by the real broker: which are refused, and what is said."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from firmware.field.commission import upload
from gateway.pki.authority import CLIENT, Issued
from hil.authority import Authority
from tests.firmware.site import BROKER, NAME, Site, Tls, site

pytestmark = [pytest.mark.e2e]
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def self_made(_right: Authority) -> Issued:
    """Signed by its own key, and by nobody else."""
    return by_itself(BROKER)


def by_itself(name: str) -> Issued:
    own = Authority(name)
    return Issued(own.certify(name, own.own.key.public_key()), own.own.key)


def a_terminals(right: Authority) -> Issued:
    """A stolen terminal's, whose name happens to be the broker's."""
    return right.issue(BROKER, use=CLIENT)


@pytest.mark.parametrize("made_by", [self_made, a_terminals])
def test_a_broker_whose_certificate_is_none_of_a_broker_is_told_nothing(
    tmp_path: Path, made_by: Callable[[Authority], Issued]
) -> None:
    """P-418, S-25: by the terminal's own TLS. tests/firmware/test_terminal_tls.py has another authority, name, time."""
    tls = Tls()
    tls.server = made_by(tls.authority)
    with site(tmp_path, tls=tls) as made:
        made.provision()
        made.broker.start()
        made.terminal.start()
        made.terminal.process.wait_for_line("uplink: the broker's certificate is refused: ", 60)
        made.terminal.kill()
        assert NAME not in made.broker.process.text()
        assert advice(made) == "certificate"


def client_of_another_authority(_right: Authority) -> Issued:
    return Authority("Wattline bench").issue(NAME, use=CLIENT)


def client_self_made(_right: Authority) -> Issued:
    return by_itself(NAME)


def client_expired(right: Authority) -> Issued:
    return right.issue(NAME, NOW - 400 * DAY, NOW - DAY, CLIENT)


@pytest.mark.parametrize("made_by", [client_of_another_authority, client_self_made, client_expired])
def test_a_terminal_with_a_bad_certificate_is_refused_and_its_technician_told_so(
    tmp_path: Path, made_by: Callable[[Authority], Issued]
) -> None:
    """P-418"""
    tls = Tls()
    tls.client = made_by(tls.authority)
    tls.files = tls.authority.terminal_files(tls.client)
    with site(tmp_path, tls=tls) as made:
        made.provision()
        made.broker.start()
        made.terminal.start()
        made.terminal.process.wait_for_line("(?s)(uplink: [A-Za-z]*Error.*){2}", 60)
        made.terminal.kill()
        assert NAME not in made.broker.process.text()
        assert advice(made) in ("hung_up", "no_broker")  # by what of the broker's end comes first


def advice(made: Site) -> str:
    """What the technician's test makes of the console."""
    return upload.judge([*made.terminal.process.text().splitlines(), None]).findings[0].code
