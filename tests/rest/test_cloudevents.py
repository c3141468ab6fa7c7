"""CloudEvents 1.0 in and out, held to the official SDK and to the schema of the JSON format."""

import base64
import json
import tracemalloc
from typing import Any
from uuid import UUID, uuid4, uuid5

import jsonschema_rs
import msgspec
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from indelible import AggregateKey, NewEvent, RecordedEvent
from indelible.errors import PayloadTooLarge
from indelible.events import decode_event, event_hash, hashed_line, unhashed_line
from indelible.json_text import json_equal
from indelible.limits import METADATA_SIZE_BYTES_MAX, REQUEST_EVENTS_MAX
from indelible.wire.cloudevents import EVENT_ID_NAMESPACE, decode_cloud_event, decode_cloud_events, encode_cloud_event
from rest.calls import Answer, Api, event, new_path

ONE = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

TOO_LONG = "a" * 1_000_000

# What the JSON format's schema says (cloudevents/formats/cloudevents.json), and which values attributes of ours have.
_SPEC = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "format": "uri-reference", "minLength": 1},
        "specversion": {"const": "1.0"},
        "type": {"type": "string", "minLength": 1},
        "datacontenttype": {"type": ["string", "null"], "minLength": 1},
        "dataschema": {"type": ["string", "null"], "format": "uri", "minLength": 1},
        "subject": {"type": ["string", "null"], "minLength": 1},
        "time": {"type": ["string", "null"], "format": "date-time", "minLength": 1},
        "data": {},
        "data_base64": {"type": ["string", "null"], "contentEncoding": "base64"},
        **{
            name: {"type": "string"}
            for name in ("aggregatetype", "aggregateid", "eventid", "version", "position", "timestamp", "hash")
        },
    },
    "additionalProperties": {"type": ["string", "boolean", "integer", "null"]},
    "required": ["id", "source", "specversion", "type"],
    "propertyNames": {"pattern": "^([a-z0-9]+|data_base64)$"},
}
_VALIDATOR = jsonschema_rs.Draft202012Validator(_SPEC, validate_formats=True)


def cloud_event(**attributes: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": str(uuid4()), "source": "/sensors/1", "type": "Measured"} | attributes


def check(sent: dict[str, Any]) -> dict[str, Any]:
    """A CloudEvent that came out, after the schema and the SDK have taken it."""
    _VALIDATOR.validate(sent)
    body = json.dumps(sent).encode()
    read = from_structured(HTTPMessage({"content-type": "application/cloudevents+json"}, body), JSONFormat())
    assert read.get_id() == sent["id"]
    return sent


def post(api: Api, path: str, body: Any, headers: dict[str, str] = ONE) -> Answer:
    return api.post(f"{path}/events", body, headers)


def out(api: Api, path: str) -> list[dict[str, Any]]:
    answer = api.get(f"{path}/events", accept="application/cloudevents-batch+json")
    assert answer.headers["content-type"] == "application/cloudevents-batch+json"
    return [check(one) for one in answer.json]


def test_an_event_of_the_store_as_a_cloud_event(api: Api):
    path = new_path("order", f"a/b {uuid4().hex}")
    sent = event("OrderPlaced", event_data={"total": 42.50}, tags=["x:1", 'q"'], metadata={"user": "ada", "n": 1.5})
    (stored,) = api.post(f"{path}/events", {"events": [sent]}).json["events"]
    answer = api.get(f"/v1/events/{stored['event_id']}", accept="application/cloudevents+json")
    assert answer.headers["content-type"] == "application/cloudevents+json"
    plain = api.get(f"/v1/events/{stored['event_id']}").json
    assert check(answer.json) == {
        "specversion": "1.0",
        "id": stored["event_id"],
        "source": path,
        "type": "OrderPlaced",
        "subject": plain["aggregate_id"],
        "time": plain["timestamp"],
        "datacontenttype": "application/json",
        "data": {"total": 42.5},
        "user": "ada",
        "metadata": '{"n":1.5}',
        "tags": '["q\\"","x:1"]',
        "aggregatetype": "order",
        "aggregateid": plain["aggregate_id"],
        "eventid": stored["event_id"],
        "version": "1",
        "position": str(stored["position"]),
        "timestamp": plain["timestamp"],
        "hash": plain["hash"],
    }
    assert b'"data":{"total":42.5' in answer.body


def test_bytes(api: Api):
    path = new_path()
    sent = cloud_event(datacontenttype="image/png", data_base64=base64.b64encode(b"\x00\xff").decode())
    assert post(api, path, sent).status == 201
    plain = api.get(f"{path}/events").json["events"][0]
    assert (plain["content_type"], plain["event_data_base64"]) == ("image/png", sent["data_base64"])
    assert out(api, path)[0]["data_base64"] == sent["data_base64"]


def test_text_becomes_bytes_and_json_in_base64_json(api: Api):
    path = new_path()
    encoded = base64.b64encode(b'{"a": 1.0}').decode()
    sent = [
        cloud_event(datacontenttype="text/xml", data="<ż/>"),
        cloud_event(datacontenttype="application/json", data_base64=encoded),
        cloud_event(data_base64=encoded),
        cloud_event(),
    ]
    assert post(api, path, sent, BATCH).status == 201
    xml, as_json, as_bytes, nothing = api.get(f"{path}/events").json["events"]
    assert base64.b64decode(xml["event_data_base64"]).decode() == "<ż/>"
    assert as_json["event_data"] == {"a": 1.0}
    assert as_bytes["content_type"] == "application/octet-stream"
    assert nothing["event_data"] is None


def test_what_the_producer_said_comes_back(api: Api):
    path = new_path()
    sent = cloud_event(
        id="A 1/ż", source="https://example.org/s?x=1", subject="the sensor", time="2026-01-31T12:00:00.5+02:00",
        dataschema="https://example.org/schema", data=[1], traceparent=TRACEPARENT, tracestate="a=1", flag=True,
        count=-7, version="of the producer", tags='["b","a"]', metadata='{"deep":{"x":[1]}}',
    )  # fmt: skip
    answer = post(api, path, sent)
    assert answer.status == 201
    plain = api.get(f"{path}/events").json["events"][0]
    assert plain["event_id"] == str(uuid5(EVENT_ID_NAMESPACE, "https://example.org/s?x=1\nA 1/ż"))
    assert plain["tags"] == ["a", "b"]
    assert plain["metadata"] == {
        "traceparent": TRACEPARENT, "tracestate": "a=1", "flag": True, "count": -7, "version": "of the producer",
        "deep": {"x": [1]},
        "cloud_event": {name: sent[name] for name in ("id", "source", "subject", "time", "dataschema")},
    }  # fmt: skip
    (found,) = out(api, path)
    # An attribute that the store gives too goes with what no attribute can hold.
    differing = {"version": "1", "tags": '["a","b"]', "metadata": None}
    assert {name: found[name] for name in sent if name not in differing} == {
        name: value for name, value in sent.items() if name not in differing
    }
    assert json.loads(found["metadata"]) == {"version": "of the producer", "deep": {"x": [1]}}
    assert found["datacontenttype"] == "application/json"


def test_the_same_cloud_event_twice_is_stored_once(api: Api):
    path = new_path()
    sent = cloud_event(id="no-uuid", data={"n": 1}, source=f"/s/{uuid4()}")
    assert post(api, path, sent).status == 201
    again = post(api, path, sent)
    assert (again.status, again.json["replayed"]) == (200, True)
    post(api, path, sent | {"data": 2}).problem(409, "event_id_conflict")


def test_what_came_out_may_go_in_again(api: Api):
    path = new_path()
    api.post(
        f"{path}/events", {"events": [event(metadata={"a": "b", "cloud_event": 1, "x-y": None}), event(tags=["t"])]}
    )
    post(api, path, cloud_event(id="x", source=f"/s/{uuid4()}", time="2026-01-31T12:00:00Z", subject="s"))
    batch = out(api, path)
    again = post(api, path, batch, BATCH)
    assert (again.status, again.json["replayed"], again.json["version"]) == (200, True, 3)


def test_headers_say_the_expected_version(api: Api):
    path = new_path()
    assert post(api, path, cloud_event(), ONE | {"if-none-match": "*"}).status == 201
    post(api, path, cloud_event(), ONE | {"if-none-match": "*"}).problem(412, "version_conflict")
    assert post(api, path, [cloud_event()], BATCH | {"if-match": '"1"'}).status == 201


def test_the_feed_page_after_page(api: Api):
    start, path = api.head_position(), new_path()
    assert post(api, path, [cloud_event() for _ in range(5)], BATCH).status == 201
    found, target = [], f"/v1/events?after={start}&limit=2"
    while True:
        answer = api.get(target, accept="application/cloudevents-batch+json")
        found += [check(one)["position"] for one in answer.json]
        if "link" not in answer.headers:
            break
        target = answer.headers["link"].partition("<")[2].partition(">")[0]
    assert found == [str(start + n) for n in range(1, 6)]
    cursor = answer.headers["indelible-cursor"]
    assert api.get(f"/v1/events?after={cursor}", accept="application/cloudevents-batch+json").json == []


def test_accept(api: Api):
    api.get("/v1/events", accept="application/cloudevents+json").problem(406, "not_acceptable")
    api.get(f"/v1/events/{uuid4()}", accept="text/html").problem(406, "not_acceptable")
    answer = api.call("POST", f"{new_path()}/events", b"{}", {"content-type": "application/xml"})
    assert answer.problem(415, "unsupported_media_type")["supported"][1:] == [
        "application/cloudevents+json", "application/cloudevents-batch+json",
    ]  # fmt: skip
    assert (
        post(api, new_path(), cloud_event(), {"content-type": 'Application/CloudEvents+JSON; charset="UTF-8"'}).status
        == 201
    )


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"specversion": "0.3"}, "/specversion"),
        ({"specversion": None}, "/specversion"),
        ({"id": ""}, "/id"),
        ({"id": 5}, "/id"),
        ({"id": None}, "/id"),
        ({"id": "a\nb"}, "/id"),
        ({"source": ""}, "/source"),
        ({"source": "no space"}, "/source"),
        ({"source": "%zz"}, "/source"),
        ({"type": None}, "/type"),
        ({"type": "x" * 300}, "/type"),
        ({"subject": ""}, "/subject"),
        ({"time": "today"}, "/time"),
        ({"time": "2026-02-31T00:00:00Z"}, "/time"),
        ({"time": "2026-01-31T00:00:00"}, "/time"),
        ({"dataschema": "a b"}, "/dataschema"),
        ({"datacontenttype": "json"}, "/datacontenttype"),
        ({"datacontenttype": "text/plain", "data": 1}, "/data"),
        ({"data": 1, "data_base64": ""}, "/data_base64"),
        ({"data_base64": "?"}, "/data_base64"),
        ({"datacontenttype": "application/json", "data_base64": "/w=="}, "/data"),
        ({"tags": "a,b"}, "/tags"),
        ({"tags": "[1]"}, "/tags"),
        ({"tags": '[""]'}, "/tags/0"),
        ({"metadata": "[]"}, "/metadata"),
        ({"metadata": "{"}, "/metadata"),
        ({"metadata": '{"a":1}', "a": "b"}, "/metadata"),
        ({"Upper": "x"}, "/Upper"),
        ({"a/b": "x"}, "/a~1b"),
        ({"list": []}, "/list"),
        ({"big": 2**31}, "/big"),
        ({"half": 0.5}, "/half"),
        ({"text": "\u0007"}, "/text"),
    ],
)
def test_what_is_no_cloud_event(unchanged: Api, change: dict[str, Any], pointer: str):
    sent = cloud_event(**change)
    post(unchanged, new_path(), sent).problem(400, "invalid_request", pointer)
    post(unchanged, new_path(), [cloud_event(), sent], BATCH).problem(400, "invalid_request", f"/1{pointer}")


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'"x"', b"\xff", b"[[]]", b"[1]"])
def test_bodies_that_hold_none(unchanged: Api, body: bytes):
    for headers in (ONE, BATCH):
        post(unchanged, new_path(), body, headers).problem(400, "invalid_request")


def test_a_header_s_trace_context_changes_no_event(api: Api):
    """Each attempt of a traced client is a span of its own; it must not make a conflict of a repeat."""
    path, sent = new_path(), {"events": [event(event_id=str(uuid4()), metadata={"a": 1})]}
    for number in range(3):
        headers = {"traceparent": f"{TRACEPARENT[:-4]}{number}-01"} if number else {}
        answer = api.post(f"{path}/events", sent, headers)
        assert (answer.status, answer.json["replayed"]) == ((200, True) if number else (201, False))
    assert api.get(f"{path}/events").json["events"][0]["metadata"] == {"a": 1}


def test_what_the_sdk_sends(api: Api):
    path = new_path()
    sent = CloudEvent({"id": "7", "source": f"/s/{uuid4()}", "type": "T", "specversion": "1.0", "ext": "e"}, {"n": [1]})
    message = to_structured(sent, JSONFormat())
    headers = {name.lower(): value for name, value in message.headers.items()}
    assert post(api, path, message.body, headers).status == 201
    (found,) = out(api, path)
    read = from_structured(HTTPMessage(ONE, json.dumps(found).encode()), JSONFormat())
    assert (read.get_id(), read.get_source(), read.get_type()) == ("7", sent.get_source(), "T")
    assert (read.get_extension("ext"), read.get_data()) == ("e", {"n": [1]})


# --- Any event, there and back ---------------------------------------------------------------------------------------

KEY = AggregateKey("order", "o/1")
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_SCALARS = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | _TEXT | st.floats(-1e9, 1e9)
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3), max_leaves=8
)
_NAMES = st.sampled_from(["id", "type", "data", "tags", "metadata", "hash", "version", "cloud_event", "a", "A", "a1"])
_SAID = st.sampled_from([{"id": "x"}, {"source": "/a"}, {"source": ""}, {"time": "x"}, {"more": 1}, {"subject": "ż"}])


def recorded(sent: NewEvent) -> RecordedEvent:
    unhashed = unhashed_line(sent, KEY, 3, 17, "2026-01-31T12:00:00.000001Z")
    return decode_event(hashed_line(unhashed, event_hash(bytes(32), unhashed)))


@given(
    data=_JSON,
    metadata=st.dictionaries(_NAMES, _JSON | _SAID, max_size=6),
    tags=st.lists(
        st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), min_size=1, max_size=5), max_size=8
    ),
)
def test_every_event_goes_there_and_back(data: Any, metadata: dict[str, Any], tags: list[str]):
    stored = recorded(NewEvent("Placed", data, metadata=metadata, tags=tags))
    encoded = encode_cloud_event(stored)
    check(json.loads(encoded))
    back = decode_cloud_event(encoded, KEY)
    assert (back.event_type, back.tags, back.content_type) == (stored.event_type, stored.tags, stored.content_type)
    assert back.event_data_raw == stored.event_data_bytes
    assert json_equal(back.metadata_raw, bytes(stored.metadata_raw))
    assert decode_cloud_events(b"[%b]" % encoded, KEY) == (back,)
    assert isinstance(back.event_id, UUID)


def test_metadata_that_repeats_a_name_stays_as_it_is():
    stored = recorded(NewEvent("Placed", metadata=msgspec.Raw(b'{"a":1,"a":2}')))
    assert json.loads(encode_cloud_event(stored))["metadata"] == '{"a":1,"a":2}'
    assert decode_cloud_event(encode_cloud_event(stored), KEY).metadata_raw == b'{"a":1,"a":2}'


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        *[(name, TOO_LONG) for name in ("id", "source", "subject", "dataschema", "traceparent")],
        ("time", f"2026-01-31T12:00:00.{'0' * 1_000_000}Z"),
        ("metadata", json.dumps({"a": TOO_LONG})),
        ("metadata", json.dumps(dict.fromkeys(map(str, range(100_000))), indent=1)),
    ],
    ids=lambda value: value[:12],
)
def test_what_is_too_long_for_an_attribute_is_refused_by_its_name(attribute: str, value: str):
    with pytest.raises(PayloadTooLarge) as refused:
        decode_cloud_event(json.dumps(cloud_event(**{attribute: value})).encode(), AggregateKey("order", "1"))
    assert refused.value.fields == {"pointer": f"/{attribute}", "size_bytes_max": METADATA_SIZE_BYTES_MAX}


def test_a_uri_that_is_as_long_as_can_be_takes_little_memory():
    source = "/" + "s" * (METADATA_SIZE_BYTES_MAX - 1)
    body = json.dumps(cloud_event(source=source)).encode()
    tracemalloc.start()
    try:
        with pytest.raises(PayloadTooLarge):  # with what stands around it in metadata
            decode_cloud_event(body, AggregateKey("order", "1"))
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_white_space_around_metadata_does_not_count():
    spaces = " " * METADATA_SIZE_BYTES_MAX
    sent = cloud_event(metadata=f'{spaces}{{"a":{spaces}1}}')
    made = decode_cloud_event(json.dumps(sent).encode(), AggregateKey("order", "1"))
    assert json.loads(made.metadata_raw)["a"] == 1


@pytest.mark.parametrize(
    "body",
    [b"[" + b"{}," * REQUEST_EVENTS_MAX + b"{}]", b"[" + b"{}," * 1_000_000 + b"{}]"],
    ids=["one too many", "a million"],
)
def test_events_of_a_batch_are_counted_before_they_are_made(body: bytes):
    tracemalloc.start()
    try:
        with pytest.raises(PayloadTooLarge) as refused:
            decode_cloud_events(body, AggregateKey("order", "1"))
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    assert refused.value.fields == {"pointer": "", "events_max": REQUEST_EVENTS_MAX}


def test_objects_within_the_events_of_a_batch_are_not_counted_and_not_made():
    inner = b"[" + b"{}," * 300_000 + b"{}]"
    body = b'[{"specversion":"1.0","id":"1","source":"/s","type":"A","data":%b}]' % inner
    tracemalloc.start()
    try:
        (made,) = decode_cloud_events(body, AggregateKey("order", "1"))
        assert tracemalloc.get_traced_memory()[1] < 20 * len(body)
    finally:
        tracemalloc.stop()
    assert made.event_data_raw == inner
