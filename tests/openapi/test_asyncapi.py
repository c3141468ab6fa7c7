"""The AsyncAPI document: whole, without loose ends, and true of what is on the wire."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from rest.calls import Api, event, new_path
from rest.sse import subscribed

# The structure that AsyncAPI 3.0.0 asks of the objects that stand in the document, and nothing else.
_REFERENCE = {"type": "object", "properties": {"$ref": {"type": "string"}}, "required": ["$ref"], "maxProperties": 1}
_REFERENCES = {"type": "object", "minProperties": 1, "additionalProperties": _REFERENCE}
_TEXT = {"type": "string", "minLength": 1}


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": [*required],
        "additionalProperties": False,
    }


_MESSAGE = _object(
    {"payload": _REFERENCE, "title": _TEXT, "summary": _TEXT},
    name=_TEXT, examples={"type": "array", "items": _object({"payload": {"type": "object"}}), "minItems": 1},
)  # fmt: skip
_DOCUMENT = _object(
    {
        "asyncapi": {"const": "3.0.0"},
        "info": _object(
            {"title": _TEXT, "version": _TEXT}, description=_TEXT, license=_object({"name": _TEXT}, url=_TEXT)
        ),
        "channels": {
            "type": "object",
            "additionalProperties": _object(
                {"address": {"const": "/v1/events"}, "messages": _REFERENCES}, title=_TEXT, description=_TEXT
            ),
        },
        "operations": {
            "type": "object",
            "additionalProperties": _object(
                {"action": {"const": "send"}, "channel": _REFERENCE},
                summary=_TEXT, description=_TEXT, messages={"type": "array", "items": _REFERENCE},
                bindings=_object({"http": _object(
                    {"method": {"const": "GET"}, "query": {"type": "object"}, "bindingVersion": {"const": "0.3.0"}}
                )}),
            ),
        },
        "components": _object(
            {
                "messages": {"type": "object", "additionalProperties": _MESSAGE},
                "schemas": {"type": "object", "additionalProperties": {"type": "object"}},
            }
        ),
    },
    defaultContentType={"const": "application/json"},
    servers={
        "type": "object",
        "additionalProperties": _object(
            {"host": _TEXT, "protocol": _TEXT}, description=_TEXT, variables={"type": "object"}
        ),
    },
)  # fmt: skip


@pytest.fixture
def asyncapi(api: Api) -> dict[str, Any]:
    document: dict[str, Any] = api.get("/asyncapi.json").json
    return document


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _resolved(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return _resolved(document, found["$ref"]) if "$ref" in found else found


def _payload_validator(document: dict[str, Any], message: str) -> jsonschema_rs.Validator:
    schema = {**document["components"]["messages"][message]["payload"], "components": document["components"]}
    return jsonschema_rs.validator_for(schema, validate_formats=True)


def test_its_structure(asyncapi: dict[str, Any]):
    jsonschema_rs.Draft202012Validator(_DOCUMENT).validate(asyncapi)


def test_every_reference_leads_somewhere(asyncapi: dict[str, Any]):
    references = set(_references(asyncapi))
    assert len(references) >= 8
    for reference in references:
        assert _resolved(asyncapi, reference)


def test_the_examples_are_what_the_schemas_allow(asyncapi: dict[str, Any]):
    for name, message in asyncapi["components"]["messages"].items():
        for example in message["examples"]:
            _payload_validator(asyncapi, name).validate(example["payload"])


def test_the_query_is_what_a_subscriber_may_ask_for(api: Api, asyncapi: dict[str, Any]):
    query = asyncapi["operations"]["subscribe"]["bindings"]["http"]["query"]["properties"]
    answer = api.call("HEAD", "/v1/events", headers={"accept": "text/event-stream"})
    assert answer.status == 200
    document = api.get("/openapi.json").json
    parameters = {each["name"] for each in document["paths"]["/v1/events"]["get"]["parameters"]}
    assert {*query} - {"gather_s"} == parameters - {"direction", "limit"}


def test_the_messages_on_the_wire_are_those(api: Api, shared_url: str, asyncapi: dict[str, Any]):
    start = api.head_position()
    api.post(f"{new_path()}/events", {"events": [event()]})
    with subscribed(shared_url, after=start) as stream:
        first, second = stream.until_caught_up()
    for message, name in ((first, "event"), (second, "caught-up")):
        assert message.event == ("" if name == "event" else name)
        _payload_validator(asyncapi, name).validate(json.loads(message.data))
