"""The OpenAPI 3.1 document of the routes, made from what they say of themselves and from the types that validate."""

import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from typing import Any, Final

import msgspec

from indelible.events import JSON_CONTENT_TYPE
from indelible.server.http.openapi_examples import EXAMPLES, PARAMETER_EXAMPLES
from indelible.server.http.openapi_operation import Answer, Operation, Row
from indelible.server.http.openapi_problems import error_responses, problem_schemas
from indelible.server.http.openapi_rows import example_of, parameter_schemas
from indelible.server.http.openapi_schemas import components, schema_of
from indelible.server.http.openapi_types import Schema
from indelible.server.http.openapi_vocabulary import (
    ALWAYS_THERE,
    HEADER_PARAMETERS,
    RESPONSE_HEADERS,
    meaning_of_query,
    meaning_of_segment,
)
from indelible.server.http.routing import Route

_DESCRIPTION: Final = """\
An event store: services append events to aggregates, read them back, query them and replay them.

Bodies are JSON in UTF-8, and strict: an unknown field or parameter, a wrong type or NaN is an error that names the \
field by its JSON pointer. In paths, percent-encode what is not a letter, digit, `-`, `.`, `_` or `~`: `/` in an \
aggregate id is `%2F`.

This document describes JSON alone. What else an operation offers or takes (streams of lines, server-sent events, \
CloudEvents) stands in its description.

Errors are problem documents (RFC 9457) with a stable `code`. Beside those that each operation lists, a path that does \
not exist is `not_found` (404), and a method that a path does not have is `method_not_allowed` (405) with `Allow`. \
HEAD is answered where GET is.

An append is answered once it is on stable storage. A time-out or a broken connection means that it may be stored: \
send it again with the same event ids; that never doubles."""

_GROUPS: Final = {
    "Append": "Store events, atomically and under the conditions that you name.",
    "Read": "Events of one aggregate, or of the whole log.",
    "Snapshots": "Saved states, so that replay need not start at the first event.",
    "Catalogue": "What the store holds.",
    "Consumer groups": "Named readers of the log that share the work among their members. Each event is delivered to "
    "one of them, those of one aggregate in order, and again until it is acknowledged. An event that fails too often "
    "is parked, and its aggregate with it; the others go on.",
    "Operations": "Health, metrics and this reference.",
}


def build_document(routes: Sequence[Route]) -> dict[str, Any]:
    """The document of these routes, as a JSON object."""
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route.path, route.operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Indelible",
            "version": version("indelible"),
            "summary": "The REST API of the Indelible event store, version 1.",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server."}],
        "security": [],
        "tags": [{"name": name, "description": text} for name, text in _GROUPS.items()],
        "paths": paths,
        "components": {
            "schemas": {
                **components(_types(route.operation for route in routes), _path_parameters(routes)),
                **problem_schemas(),
            },
            "headers": {name: _response_header(name) for name in RESPONSE_HEADERS},
        },
    }


def _path_parameters(routes: Iterable[Route]) -> dict[str, tuple[str, ...]]:
    """By the name of the Struct that an operation of the table is asked with: what of it stands in the path."""
    rows = [route.operation.row for route in routes if route.operation.row is not None]
    return {row.parameters.__name__: row.path_parameters for row in rows}


def _types(operations: Iterable[Operation]) -> Iterator[Any]:
    for operation in operations:
        if operation.body is not None:
            yield operation.body
        yield from (answer.body for answer in operation.answers if answer.body is not None)


def _operation(path: str, operation: Operation) -> Schema:
    parameters = [
        *(_parameter("path", name, _meaning(operation, name)) for name in re.findall(r"{(\w+)}", path)),
        *(_parameter("query", name, _meaning(operation, name)) for name in operation.query),
        *(_parameter("header", name, HEADER_PARAMETERS[name]) for name in operation.headers),
    ]
    described: Schema = {
        "operationId": operation.id,
        "tags": [operation.group],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": parameters,
    }
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {JSON_CONTENT_TYPE: _content(operation.body, operation.row)},
        }
    answers = {str(answer.status): _answer(answer) for answer in operation.answers}
    return described | {"responses": answers | error_responses(operation)}


def _meaning(operation: Operation, name: str) -> Schema:
    if operation.row is not None:
        return parameter_schemas(operation.row)[name]
    return meaning_of_query(operation.id, name) if name in operation.query else meaning_of_segment(name)


def _parameter(place: str, name: str, meaning: Schema) -> Schema:
    schema = {word: value for word, value in meaning.items() if word != "description"}
    parameter: Schema = {"name": name, "in": place, "description": meaning["description"], "required": place == "path"}
    if f"{place}.{name}" in PARAMETER_EXAMPLES:
        parameter["example"] = PARAMETER_EXAMPLES[f"{place}.{name}"]
    if "$ref" in schema.get("items", {}):
        return parameter | {"content": {JSON_CONTENT_TYPE: {"schema": schema}}}
    return parameter | {"schema": schema}


def _answer(answer: Answer) -> Schema:
    content: Schema = {}
    if answer.body is not None:
        content[JSON_CONTENT_TYPE] = _content(answer.body)
    if answer.text is not None:
        content[answer.text] = {"schema": {"type": "string"}}
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in answer.headers}
    return {"description": answer.description, "headers": headers, "content": content}


def _content(kind: Any, row: Row | None = None) -> Schema:
    content: Schema = {"schema": schema_of(kind)}
    if kind in EXAMPLES:
        content["example"] = EXAMPLES[kind]
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        content["example"] = example_of(kind, without=() if row is None else row.path_parameters)
    return content


def _response_header(name: str) -> Schema:
    meaning = RESPONSE_HEADERS[name]
    schema = {word: value for word, value in meaning.items() if word != "description"}
    return {"description": meaning["description"], "required": name in ALWAYS_THERE, "schema": schema}
