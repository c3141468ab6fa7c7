"""CloudEvents in the binary mode of HTTP, which is what SDKs send unless they are told otherwise, held to the official
SDK."""

import json
from typing import Any
from uuid import uuid4

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http, to_binary_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from indelible import AggregateKey, NewEvent
from indelible.events import decode_event, event_hash, hashed_line, unhashed_line
from indelible.json_text import json_equal
from indelible.wire.cloudevents import decode_binary_cloud_event, encode_binary_cloud_event
from rest.calls import Answer, Api, event, new_path

ATTRIBUTES = {"ce-specversion": "1.0", "ce-id": "reading-17", "ce-source": "/sensors/1", "ce-type": "Measured"}
BINARY = "application/cloudevents"


def send(api: Api, path: str, sent: CloudEvent) -> Answer:
    """As the SDK says it goes over HTTP."""
    message = to_binary_event(sent)
    return api.post(f"{path}/events", message.body, {"content-type": "", **message.headers})


def cloud_event(data: Any, **attributes: Any) -> CloudEvent:
    given = {"specversion": "1.0", "id": str(uuid4()), "source": f"/s/{uuid4()}", "type": "Measured", **attributes}
    return CloudEvent(given, data)


def read(api: Api, event_id: str) -> CloudEvent:
    """As the SDK reads it from HTTP."""
    answer = api.get(f"/v1/events/{event_id}", accept=BINARY)
    assert answer.status == 200
    found = from_http(HTTPMessage(dict(answer.headers), answer.body), JSONFormat())
    assert isinstance(found, CloudEvent)
    return found


def stored(api: Api, path: str) -> dict[str, Any]:
    (found,) = api.get(f"{path}/events").json["events"]
    return dict(found)


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("application/json", {"n": [1, "ż"]}),
        ("application/vnd.x+json", {"n": 1}),
        ("application/json; charset=utf-8", {"n": 1}),
        ("image/png", b"\x00\xff\r\n\r\n"),
        ("application/octet-stream", b""),
        ("text/plain", b"plain"),
    ],
)
def test_what_the_sdk_sends_the_sdk_reads(api: Api, content_type: str, data: Any):
    path = new_path()
    sent = cloud_event(
        data, id='7 ż"%20', subject="the sensor", dataschema="https://example.org/s", datacontenttype=content_type,
        ext='a "quoted" ż', traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )  # fmt: skip
    answer = send(api, path, sent)
    assert answer.status == 201, answer
    (appended,) = answer.json["events"]
    found = read(api, appended["event_id"])
    for name, value in sent.get_attributes().items():
        assert found.get_attributes()[name] == value, name
    assert found.get_data() == (data.decode() if content_type == "text/plain" else data or found.get_data())
    plain = stored(api, path)
    assert plain["content_type"] == content_type
    assert plain["metadata"]["ext"] == 'a "quoted" ż'


def test_data_without_a_content_type_is_json(api: Api):
    path = new_path()
    headers = {**ATTRIBUTES, "ce-id": str(uuid4())}
    body = b'{"value": 21.50}'
    api.connection.putrequest("POST", f"{path}/events")
    for name, value in {**headers, "content-length": str(len(body))}.items():
        api.connection.putheader(name, value)
    api.connection.endheaders(body)
    response = api.connection.getresponse()
    assert (response.status, bool(response.read())) == (201, True)
    assert stored(api, path)["event_data"] == {"value": 21.5}
    assert stored(api, path)["event_id"] == headers["ce-id"]


def test_the_same_in_either_mode_is_the_same_event(api: Api):
    path, source = new_path(), f"/s/{uuid4()}"
    headers = {**ATTRIBUTES, "ce-source": source, "ce-unit": "celsius", "ce-time": "2026-01-31T12:00:00Z"}
    assert api.post(f"{path}/events", b"[1]", headers).status == 201
    structured = {name.removeprefix("ce-"): value for name, value in headers.items()} | {"data": [1]}
    again = api.post(f"{path}/events", structured, {"content-type": "application/cloudevents+json"})
    assert (again.status, again.json["replayed"]) == (200, True)
    # The body says it all: headers do not count then.
    again = api.post(f"{path}/events", structured, {**ATTRIBUTES, "content-type": "application/cloudevents+json"})
    assert (again.status, again.json["replayed"]) == (200, True)


def test_headers_say_the_expected_version(api: Api):
    path = new_path()
    headers = {**ATTRIBUTES, "ce-source": f"/s/{uuid4()}"}
    assert api.post(f"{path}/events", b"1", {**headers, "if-none-match": "*"}).status == 201
    other = {**headers, "ce-id": "other"}
    api.post(f"{path}/events", b"1", {**other, "if-match": '"7"'}).problem(412, "version_conflict")
    assert api.post(f"{path}/events", b"1", {**other, "if-match": '"1"'}).status == 201


def test_what_came_out_may_go_in_again(api: Api):
    path = new_path("order", f"ż / {uuid4().hex}")
    sent = event(metadata={"n": 1, "b": True, "s": 'a "b" %20', "deep": [1.5]}, tags=["x:1", 'q"', "ż"])
    api.post(f"{path}/events", {"events": [sent]})
    answer = api.get(f"/v1/events/{stored(api, path)['event_id']}", accept=BINARY)
    assert json.loads(answer.body) == sent["event_data"]
    headers = {
        name: value for name, value in answer.headers.items() if name.startswith("ce-") or name == "content-type"
    }
    assert headers["ce-aggregateid"].startswith("%C5%BC%20/%20")
    again = api.post(f"{path}/events", answer.body, headers)
    assert (again.status, again.json["replayed"]) == (200, True)


@pytest.mark.parametrize(
    ("change", "body", "pointer"),
    [
        ({"ce-specversion": "0.3"}, b"1", "/ce-specversion"),
        ({"ce-id": ""}, b"1", "/ce-id"),
        ({"ce-id": None}, b"1", "/ce-id"),
        ({"ce-id": "%zz"}, b"1", "/ce-id"),
        ({"ce-id": "%ff"}, b"1", "/ce-id"),
        ({"ce-id": "%0A"}, b"1", "/ce-id"),
        ({"ce-type": None}, b"1", "/ce-type"),
        ({"ce-source": "no%20space"}, b"1", "/ce-source"),
        ({"ce-time": "today"}, b"1", "/ce-time"),
        ({"ce-tags": "a"}, b"1", "/ce-tags"),
        ({"ce-tags": "[%22%22]"}, b"1", "/ce-tags/0"),
        ({"ce-a_b": "x"}, b"1", "/ce-a_b"),
        ({"ce-data": "1"}, b"1", "/ce-data"),
        ({"ce-datacontenttype": "text/plain"}, b"1", "/ce-datacontenttype"),
        ({"content-type": "json"}, b"1", "/Content-Type"),
        ({"content-type": "application/json"}, b"{", ""),
        ({"content-type": "application/json"}, b'{"a":"\xff"}', ""),
    ],
)
def test_what_is_no_cloud_event(unchanged: Api, change: dict[str, Any], body: bytes, pointer: str):
    headers = {name: value for name, value in {**ATTRIBUTES, **change}.items() if value is not None}
    unchanged.post(f"{new_path()}/events", body, headers).problem(400, "invalid_request", pointer)


def test_attributes_that_are_too_long_for_headers(api: Api):
    path = new_path()
    api.post(f"{path}/events", {"events": [event(metadata={"x": "y" * 40_000})]})
    target = f"/v1/events/{stored(api, path)['event_id']}"
    offered = api.get(target, accept=BINARY).problem(406, "not_acceptable")["offered"]
    assert offered == ["application/json", "application/cloudevents+json"]
    assert api.get(target, accept="application/cloudevents+json").status == 200


# --- Any event, there and back ---------------------------------------------------------------------------------------

KEY = AggregateKey("order", "o/1")
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from(["id", "type", "data", "tags", "metadata", "hash", "version", "cloud_event", "a", "A", "a1"])


@given(
    data=_JSON | st.binary(max_size=20),
    metadata=st.dictionaries(_NAMES, _JSON, max_size=6),
    tags=st.lists(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), min_size=1, max_size=5)),
)
def test_every_event_goes_there_and_back(data: Any, metadata: dict[str, Any], tags: list[str]):
    sent = NewEvent("Placed ż", data, metadata=metadata, tags=tags)
    unhashed = unhashed_line(sent, KEY, 3, 17, "2026-01-31T12:00:00.000001Z")
    recorded = decode_event(hashed_line(unhashed, event_hash(bytes(32), unhashed)))
    headers, body = encode_binary_cloud_event(recorded)
    assert all(0x21 <= byte <= 0x7E for value in headers.values() for byte in value)
    headers[b"content-type"] = recorded.content_type.encode()
    back = decode_binary_cloud_event(headers, body, KEY)
    assert (back.event_id, back.event_type, back.tags) == (sent.event_id, sent.event_type, sent.tags)
    assert (back.content_type, back.event_data_raw) == (sent.content_type, sent.event_data_raw)
    assert json_equal(back.metadata_raw, sent.metadata_raw)
