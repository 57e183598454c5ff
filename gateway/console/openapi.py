"""The API as OpenAPI 3.1, out of the routes' declarations."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.console.route import Route

ERRORS = {
    400: "what was asked is not what the route takes",
    401: "nobody is logged in",
    403: "this role may not do it, or the page's token is missing",
    404: "there is no such thing",
    409: "not as things stand",
    413: "too long",
    429: "too often",
    503: "a store can't be used now",
}


class Why(msgspec.Struct, frozen=True):
    """Why not. code: for programs. field: what of the question was wrong, where that can be told."""

    code: str
    en: str
    zh: str
    field: str = ""


class Error(msgspec.Struct, frozen=True):
    """The body of every answer that is no."""

    error: Why


def document(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """The whole document, for `routes` in their order."""
    types = [one for route in routes for one in (route.asks, route.gives)]
    schemas, components = msgspec.json.schema_components([*types, Error], ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for number, route in enumerate(routes):
        asks, gives = schemas[2 * number], schemas[2 * number + 1]
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, asks, gives, schemas[-1], components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Wattline console", "version": version},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": "wattline_session"}},
        },
        "security": [{"session": []}],
    }


def _operation(
    route: Route, asks: dict[str, Any], gives: dict[str, Any], error: dict[str, Any], components: dict[str, Any]
) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    found: dict[str, Any] = {
        "summary": route.summary,
        "operationId": _operation_id(route),
        "x-role": route.role.name.lower(),
        "responses": {
            "200": {"description": "done", "content": {"application/json": {"schema": gives}}},
            **{
                str(status): {"description": text, "content": {"application/json": {"schema": error}}}
                for status, text in ERRORS.items()
            },
        },
    }
    if route.is_change:
        parameters.append({"name": "X-CSRF-Token", "in": "header", "required": True, "schema": {"type": "string"}})
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": asks}}}
    else:
        parameters += _query(asks, components)
    return found | {"parameters": parameters}


def _query(asks: dict[str, Any], components: dict[str, Any]) -> list[dict[str, Any]]:
    shape = components[asks["$ref"].rsplit("/", 1)[1]]
    required = shape.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in shape.get("properties", {}).items()
    ]


def _operation_id(route: Route) -> str:
    words = re.findall(r"\w+", route.path.removeprefix("/api"))
    return "_".join([route.method.lower(), *words])
