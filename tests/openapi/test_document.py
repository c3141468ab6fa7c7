"""The document is valid, whole, and says what the server does."""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis

from indelible.core.open import open_local_store
from indelible.errors import InvalidRequest
from indelible.events import AggregateKey, NewEvent, is_json
from indelible.server.http.routes import ROUTES
from indelible.wire.errors import STATUS_OF_CODE
from openapi.conftest import FIELDS
from openapi.parking import park_events, publish_events
from rest.calls import Api, connected
from serving import serving_in_a_thread

JSON = "application/json"
PROBLEM = "application/problem+json"


def find(value: Any, key: str) -> Iterator[Any]:
    """Every value of a key, however deep."""
    if isinstance(value, dict):
        if key in value:
            yield value[key]
        for inner in value.values():
            yield from find(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from find(inner, key)


def example_target(path: str, operation: dict[str, Any]) -> str:
    """The path with the examples of its parameters."""
    examples = {each["name"]: each["example"] for each in operation["parameters"] if each["in"] == "path"}
    return re.sub(r"{(\w+)}", lambda segment: examples[segment[1]], path)


def validator(document: dict[str, Any], schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]}, validate_formats=True)


def test_it_is_openapi_3_1(document: dict[str, Any]):
    schemathesis.openapi.from_dict(document).validate()
    assert document["openapi"].startswith("3.1.")
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)


def test_it_is_made_once(api: Api):
    assert api.get("/openapi.json").body == api.get("/openapi.json").body


def test_every_route_is_in_it_and_nothing_else(operations: dict[str, Any]):
    assert set(operations) == {f"{route.operation.method} {route.operation.path}" for route in ROUTES}
    ids = [operation["operationId"] for operation in operations.values()]
    assert len(set(ids)) == len(ids)


def test_everything_is_described(document: dict[str, Any], operations: dict[str, Any]):
    for operation in operations.values():
        assert operation["summary"]
        assert operation["description"]
        assert all(parameter["description"] for parameter in operation["parameters"])
        assert all(response["description"] for response in operation["responses"].values())
    for name, schema in document["components"]["schemas"].items():
        assert schema["description"], name
        assert "``" not in schema["description"], name
        assert all(inner["description"] for inner in schema["properties"].values()), name


def test_every_reference_leads_somewhere_and_every_component_is_used(document: dict[str, Any]):
    references = set(find(document, "$ref"))
    components = {f"#/components/{kind}/{name}" for kind, members in document["components"].items() for name in members}
    assert references == components


def test_errors_of_no_operation_are_named_in_the_description_of_the_whole(document: dict[str, Any]):
    assert {"`not_found`", "`method_not_allowed`"} <= set(document["info"]["description"].split())


def test_every_code_that_can_reach_a_caller_is_in_it(document: dict[str, Any]):
    codes = set(document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"])
    # A store that is locked never gets a server, and no server decodes events to classes.
    assert codes == set(STATUS_OF_CODE) - {"store_locked", "event_not_decoded"}


def test_errors_stand_at_their_status(document: dict[str, Any], operations: dict[str, Any]):
    schemas = document["components"]["schemas"]
    for name, operation in operations.items():
        for status, response in operation["responses"].items():
            if status < "400":
                continue
            assert list(response["content"]) == [PROBLEM]
            schema = response["content"][PROBLEM]["schema"]
            for reference in find(schema, "$ref"):
                code = schemas[reference.rpartition("/")[2]]["properties"]["code"]["const"]
                wanted = {"412": "version_conflict", "431": "payload_too_large"}.get(status)
                assert code == wanted or str(STATUS_OF_CODE[code]) == status, name
            assert ("Retry-After" in response["headers"]) == (status in ("429", "503", "507"))


def test_every_example_fits_its_schema(document: dict[str, Any], operations: dict[str, Any]):
    checked = 0
    for content in find(operations, JSON):
        if "example" in content:
            validator(document, content["schema"]).validate(content["example"])
            checked += 1
    for schema in document["components"]["schemas"].values():
        for example in schema.get("examples", ()):
            validator(document, schema).validate(example)
            checked += 1
    assert checked > 30


@pytest.fixture
def empty_store() -> Iterator[Api]:
    """Of a server of its own: examples name positions."""
    with serving_in_a_thread(open_local_store("memory:"), fields=FIELDS) as url, connected(url) as api:
        yield api


def test_examples_can_be_sent_and_the_answers_fit(
    empty_store: Api, document: dict[str, Any], operations: dict[str, Any]
):
    api = empty_store
    # What is deleted is needed until then.
    for name, operation in sorted(operations.items(), key=lambda item: item[0].startswith("DELETE ")):
        method, path = name.split()
        target = example_target(path, operation)
        body = operation.get("requestBody", {}).get("content", {}).get(JSON, {}).get("example")
        if operation["operationId"] == "skip_parked":
            park_events(api)
        if operation["operationId"] == "replay_relay":
            publish_events(api)
        if operation["operationId"] == "revoke_key":
            # Ids of keys are made at random.
            made = api.call("POST", "/v1/keys", {"name": "a", "grants": ["read:*"]}).json
            target = f"/v1/keys/{made['key_id']}/revoke"
        answer = api.call(method, target, body)
        expected = next(iter(operation["responses"]))
        if operation["operationId"] == "get_snapshot":
            assert answer.status == 200, answer
        assert str(answer.status) == expected, answer
        content = operation["responses"][expected]["content"]
        media_type = answer.headers.get("content-type", "").partition(";")[0]
        assert media_type in (content or {"": "no content"})
        if media_type == JSON:
            validator(document, content[JSON]["schema"]).validate(answer.json)
        for header in operation["responses"][expected]["headers"]:
            assert header == "Link" or header.lower() in answer.headers


def test_query_parameters_are_those_that_the_server_takes(api: Api, operations: dict[str, Any]):
    for name, operation in operations.items():
        method, path = name.split()
        if not path.startswith("/v1/"):
            continue
        target = example_target(path, operation)
        problem = api.call(method, f"{target}?unknown=1").problem(400, "invalid_request", "/unknown")
        taken = problem["detail"].removeprefix("is not a known parameter; ")
        said = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"]
        assert set(taken.removeprefix("allowed are ").split(", ")) == set(said or ["none is taken here"]), name


def test_media_types_beside_json_are_named(api: Api, operations: dict[str, Any]):
    several = 0
    for name, operation in operations.items():
        method, path = name.split()
        target = example_target(path, operation)
        named = {JSON, *re.findall(r"`(?:Accept: )?(\w+/[\w.+-]+)`", operation["description"])}
        if "406" in operation["responses"]:
            refused = api.call(method, target, headers={"accept": "text/html"}).problem(406, "not_acceptable")
            assert set(refused["offered"]) == named
            several += 1
        if "requestBody" in operation:
            refused = api.call(method, target, {}, headers={"content-type": "text/html"})
            assert set(refused.problem(415, "unsupported_media_type")["supported"]) == named
            several += len(named) > 1
    assert several == 4


# --- What the schemas say is what the domain checks ------------------------------------------------------------------


def accepts(check: Any, *arguments: Any) -> bool:
    try:
        check(*arguments)
    except InvalidRequest:
        return False
    return True


@pytest.mark.parametrize("field", ["event_type", "aggregate_type", "aggregate_id", "tags"])
def test_names_are_what_the_domain_takes(document: dict[str, Any], field: str):
    components = document["components"]["schemas"]
    schema = (components["AggregateAppend"]["properties"] | components["NewEvent"]["properties"])[field]
    schema = schema.get("items", schema)
    check = {
        "event_type": NewEvent,
        "aggregate_type": lambda text: AggregateKey.checked(text, "1"),
        "aggregate_id": lambda text: AggregateKey.checked("a", text),
        "tags": lambda text: NewEvent("a", tags=[text]),
    }[field]
    fits = jsonschema_rs.Draft202012Validator(schema).is_valid
    characters = [chr(code) for code in itertools.chain(range(0x300), (0x2028, 0xFEFF, 0xFFFF, 0x1F600))]
    texts = [*characters, "", "a" * 255, "a" * 256, "💶" * 255, "💶" * 256, "a\n", "\na", "a-b"]
    assert [text for text in texts if fits(text) != accepts(check, text)] == []


def test_content_types_are_what_the_domain_takes(document: dict[str, Any]):
    event = document["components"]["schemas"]["NewEvent"]
    schema = event["properties"]["content_type"]
    fits = jsonschema_rs.Draft202012Validator(schema).is_valid
    says_json = jsonschema_rs.Draft202012Validator(event["else"]["properties"]["content_type"]).is_valid
    texts = [
        "application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;v=1;w=2",
        "application/cloudevents+json", "application/jsonx", "application/json-seq", "x/y+JSON;a=b", "text/plain",
        "application/octet-stream", 'a/b; c="d"', "a", "a/", "/b", "a/b;", "a/b; c d", "a/b\n", "a/b;+json", "a b/c",
        f"a/{'b' * 125}", f"a/{'b' * 126}", "",
    ]  # fmt: skip
    for text in texts:
        data = 1 if is_json(text) else b""
        assert fits(text) == accepts(lambda data, text: NewEvent("a", data, content_type=text), data, text), text
        if fits(text):
            assert says_json(text) == is_json(text), text


@pytest.mark.parametrize(
    ("event", "is_allowed"),
    [
        ({"event_data": None}, True),
        ({}, False),
        ({"event_data": 1, "content_type": "application/x+json"}, True),
        ({"event_data": 1, "content_type": "text/plain"}, False),
        ({"event_data_base64": "AAEC"}, True),
        ({"event_data_base64": "AAEC", "content_type": "text/plain"}, True),
        ({"event_data_base64": "AAEC", "content_type": "application/json"}, False),
        ({"event_data_base64": "AAE"}, False),
        ({"event_data_base64": "AA=="}, True),
        ({"event_data_base64": "", "event_data": 1}, False),
        ({"event_data": 1, "metadata": []}, False),
        ({"event_data": 1, "metadata": {"by": "ada"}}, True),
        ({"event_data": 1, "event_id": "not-a-uuid"}, False),
        ({"event_data": 1, "colour": "red"}, False),
        ({"event_data": 1, "tags": ["a", 1]}, False),
    ],
)
def test_schema_and_server_agree_on_an_event(
    api: Api, document: dict[str, Any], event: dict[str, Any], is_allowed: bool
):
    event = {"event_type": "Happened", **event}
    schema = document["components"]["schemas"]["NewEvent"]
    assert validator(document, schema).is_valid(event) == is_allowed
    answer = api.post("/v1/aggregates/agreement/1/events", {"events": [event]})
    assert (answer.status == 201) == is_allowed, json.dumps(event)
