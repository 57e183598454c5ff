"""Settings that every test shares."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import firmware  # noqa: F401  (puts the terminal's modules on the path)
from tests import failures
from tests.leaks import NOTES, Leaks

NOTES.watch()  # before anything takes what it watches by name

# Random examples on every run; `make test` draws them from the code. A failure prints the blob that repeats it.
# Bounded in number, not in time per example, because the machine that runs CI is shared and slow at times.
base = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", base, max_examples=50)
settings.register_profile("ci", base, max_examples=200)
settings.register_profile("few", base, max_examples=20)  # where another run has the many: under sanitizers
settings.load_profile("ci" if os.environ.get("CI") else "dev")

# A shell has what it starts in the background ignore Ctrl-C, and with it every program that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Look for keys in what the tests leave behind (S-20); say at the very end what failed."""
    config.pluginmanager.register(Leaks(NOTES, lambda: _folder[0] if _folder else None))
    config.pluginmanager.register(failures)


_folder: list[Path] = []


@pytest.fixture(scope="session", autouse=True)
def _searched(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where the tests of this process leave what they make."""
    _folder.append(tmp_path_factory.getbasetemp())
