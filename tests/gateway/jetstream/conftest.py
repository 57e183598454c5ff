"""One server for all tests of this folder: each has a stream of its own."""

from collections.abc import Iterator

import pytest

from hil.nats import Nats
from tests.gateway.jetstream.support import NATS


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    with Nats(NATS, tmp_path_factory.mktemp("nats")) as one:
        one.start()
        yield one
