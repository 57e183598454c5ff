"""The API against its own document: whatever is asked, it answers as it says, and never with an error of ours."""

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.console.app import ROUTES
from gateway.console.route import Route
from tests.gateway.console.support import Browser, Steady, console_of, folder_of, name_of, watched
from tests.gateway.support import Sender

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 8  # of each route and way: some hundred requests in all
SENDER = Sender()


class Moving(Steady):
    """Time passes: nobody asks too often."""

    def __call__(self) -> float:
        self.now_s += 0.05
        return self.now_s


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> schemathesis.BaseSchema:
    folder: Path = tmp_path_factory.mktemp("api")
    config = folder_of(folder, SENDER)
    console = console_of(config, folder, Moving(), watched(folder))
    browser = Browser(console)
    browser.enter("ada")
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    headers = {"Cookie": cookies, "Host": "127.0.0.1", "X-CSRF-Token": browser.csrf}
    found = schemathesis.openapi.from_asgi("/api/openapi.json", console.app, headers=headers)
    found.config.update(headers=headers)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("route", ROUTES, ids=name_of)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda one: one.value)
def test_whatever_is_asked_is_answered_as_the_document_says(
    schema: schemathesis.BaseSchema, route: Route, mode: GenerationMode
) -> None:
    """P-313: no 5xx, no status, type or shape that is not written down."""
    operation = schema[route.path][route.method]

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def play(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=CHECKS)

    play()
