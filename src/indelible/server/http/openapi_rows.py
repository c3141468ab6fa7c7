"""Rows of the table of operations, as OpenAPI has them: what their Structs say, in the form of the other routes."""

from datetime import datetime
from functools import cache
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from indelible.events import RecordedEvent
from indelible.operations import Operation
from indelible.server.http import openapi_operation as openapi
from indelible.server.http.ask import is_page, is_versioned
from indelible.server.http.openapi_examples import EXAMPLES
from indelible.server.http.openapi_types import Schema
from indelible.wire.operation_json import query_names


def described(row: Operation[Any, Any]) -> openapi.Operation:
    has_body_fields = row.has_body and len(msgspec.structs.fields(row.parameters)) > len(row.path_parameters)
    headers = ("ETag",) if is_versioned(row) else ("Link",) if is_page(row) else ()
    status = 204 if row.answer is None else 200
    answers = [openapi.Answer(status, row.answers, row.answer, headers)]
    if row.answer is not None and "is_new" in row.answer.__struct_fields__ and row.method == "PUT":
        answers.insert(0, openapi.Answer(201, row.answers, row.answer, headers))
    if is_versioned(row) and row.method == "GET":
        answers.append(openapi.NOT_MODIFIED)
    return openapi.Operation(
        row.name,
        row.section,
        row.summary,
        row.description,
        tuple(answers),
        query=query_names(row),
        body=row.parameters if has_body_fields else None,
        errors=row.errors,
        row=row,
    )


@cache
def parameter_schemas(row: Operation[Any, Any]) -> dict[str, Schema]:
    """Of each parameter, what its Struct says."""
    _, schemas = msgspec.json.schema_components([row.parameters], ref_template="#/components/schemas/{name}")
    properties: dict[str, Schema] = schemas[row.parameters.__name__]["properties"]
    return {name: not_null(schema) for name, schema in properties.items()}


def not_null(schema: Schema) -> Schema:
    """The schema of what is given: null, which stands for what is missing, is nothing to send."""
    kinds = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(kinds) == 1:
        schema = {word: value for word, value in schema.items() if word != "anyOf"} | kinds[0]
    return {word: value for word, value in schema.items() if not (word == "default" and value is None)}


def example_of(kind: Any, *, without: tuple[str, ...] = ()) -> Any:
    """An example of a type, from those of its fields. Parameters without one are left out where they may be."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        examples = {
            one.encode_name: _example_of_field(one) for one in msgspec.structs.fields(kind) if one.name not in without
        }
        return {name: example for name, example in examples.items() if example is not _NO_EXAMPLE}
    if get_origin(kind) is tuple:
        return [example_of(get_args(kind)[0])]
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    return _EXAMPLES[kind]


_NO_EXAMPLE: Final = object()
_EXAMPLES: Final[dict[Any, Any]] = {
    int: 0,
    float: 0.0,
    bool: False,
    str: "0",
    datetime: "2026-01-31T12:10:00.000000Z",
    msgspec.Raw: EXAMPLES[RecordedEvent],
}
"""Of fields that give none: counts of what is not there, cursors of the beginning, the event that others speak of."""


def _example_of_field(field: msgspec.structs.FieldInfo) -> Any:
    kind = field.type
    if type(None) in get_args(kind):
        kind = get_args(kind)[0]
    if get_origin(kind) is not Annotated:
        return example_of(kind)
    plain, *metas = get_args(kind)
    examples = [meta.examples[0] for meta in metas if isinstance(meta, Meta) and meta.examples]
    if examples:
        return examples[0]
    return example_of(plain) if field.required else _NO_EXAMPLE
