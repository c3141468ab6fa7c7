"""Bodies that are not allowed: each is answered with the pointer of what is wrong, and changes nothing."""

import gzip
import json
import time
from typing import Any
from uuid import uuid4

import pytest

from held import held_at_most
from indelible.limits import (
    EVENT_SIZE_BYTES_MAX,
    METADATA_SIZE_BYTES_MAX,
    REQUEST_EVENTS_MAX,
    REQUEST_KEYS_MAX,
    REQUEST_SIZE_BYTES_MAX,
    REQUEST_TAGS_MAX,
    SNAPSHOT_SIZE_BYTES_MAX,
    TAGS_PER_EVENT_MAX,
)
from rest.calls import JSON, Api, event, events, new_path

ONE_ID = str(uuid4())


APPEND = b'{"aggregate_type":"a","aggregate_id":"1","events":[{"event_type":"E","event_data":1}]}'


def _nested(depth: int) -> bytes:
    return b'{"events":[{"event_type":"E","event_data":' + b"[" * depth + b"]" * depth + b"}]}"


EVENTS = [
    ({}, "/event_type"),
    ({"event_type": "E"}, "/event_data"),
    ({"event_type": 1, "event_data": 1}, "/event_type"),
    ({"event_type": None, "event_data": 1}, "/event_type"),
    ({"event_type": "", "event_data": 1}, "/event_type"),
    ({"event_type": "x" * 256, "event_data": 1}, "/event_type"),
    ({"event_type": "a\u0000b", "event_data": 1}, "/event_type"),
    ({"event_type": "a\u0085b", "event_data": 1}, "/event_type"),
    (event(unknown=1), "/unknown"),
    (event(event_id="nope"), "/event_id"),
    (event(event_id=7), "/event_id"),
    (event(event_id=None), "/event_id"),
    (event(metadata=[]), "/metadata"),
    (event(metadata=None), "/metadata"),
    (event(metadata={"x": "y" * METADATA_SIZE_BYTES_MAX}), "/metadata"),
    (event(tags="x"), "/tags"),
    (event(tags=["a", 1]), "/tags/1"),
    (event(tags=["a", ""]), "/tags/1"),
    (event(tags=["a\nb"]), "/tags/0"),
    (event(tags=[str(i) for i in range(33)]), "/tags"),
    (event(content_type="nonsense"), "/content_type"),
    (event(content_type="image/png"), "/event_data"),
    (event(event_data_base64="AAAA"), "/event_data_base64"),
    ({"event_type": "E", "event_data_base64": "A", "content_type": "image/png"}, "/event_data_base64"),
    ({"event_type": "E", "event_data_base64": "AAAA", "content_type": "application/json"}, "/event_data_base64"),
    ({"event_type": "E", "event_data": "x" * EVENT_SIZE_BYTES_MAX}, "/event_data"),
]


@pytest.mark.parametrize(("bad", "pointer"), EVENTS, ids=lambda value: str(value)[:40])
def test_bad_events(unchanged: Api, bad: dict[str, Any], pointer: str):
    code, status = ("payload_too_large", 413) if len(str(bad)) > METADATA_SIZE_BYTES_MAX else ("invalid_request", 400)
    body = {"events": [event(), bad]}
    unchanged.post(f"{new_path()}/events", body).problem(status, code, f"/events/1{pointer}")
    append = {"aggregate_type": "a", "aggregate_id": "1", **body}
    pointer = f"/appends/0/events/1{pointer}"
    unchanged.post("/v1/append", {"appends": [append]}).problem(status, code, pointer)


BODIES = [
    (b"", ""),
    (b"{", ""),
    (b"[]", ""),
    (b"null", ""),
    (b'{"events":[]} x', ""),
    (b'{"events":[{"event_type":"E","event_data":NaN}]}', ""),
    (b'{"events":[{"event_type":"E","event_data":Infinity}]}', ""),
    (b'{"events":[{"event_type":"E","event_data":01}]}', ""),
    (b'{"events":[{"event_type":"E","event_data":"\xff"}]}', ""),
    (b'{"events":[{"event_type":"\xc3\x28","event_data":1}]}', ""),
    (b'{"events":[{"event_type":"E","event_data":"\\ud800"}]}', ""),
    (b'\xef\xbb\xbf{"events":[]}', ""),
    (_nested(101), "/events/0/event_data"),
    (_nested(200_000), ""),
    (b"{}", "/events"),
    (b'{"events":{}}', "/events"),
    (b'{"events":[1]}', "/events/0"),
    (b'{"events":[]}', "/events"),
    (b'{"events":[],"a/b~":1}', "/a~1b~0"),
    (b'{"expected_version":-1,"events":[{"event_type":"E","event_data":1}]}', "/expected_version"),
    (b'{"expected_version":1.0,"events":[{"event_type":"E","event_data":1}]}', "/expected_version"),
    (b'{"expected_version":1.5,"events":[{"event_type":"E","event_data":1}]}', "/expected_version"),
    (b'{"expected_version":true,"events":[{"event_type":"E","event_data":1}]}', "/expected_version"),
    (b'{"expected_version":"1","events":[{"event_type":"E","event_data":1}]}', "/expected_version"),
    (b'{"expected_version":null,"events":[{"event_type":"E","event_data":1}]}', "/expected_version"),
    (b'{"expected_version":9007199254740992,"events":[{"event_type":"E","event_data":1}]}', "/expected_version"),
    (json.dumps({"events": [event(event_id=ONE_ID)] * 2}).encode(), "/events/1/event_id"),
    (b'{"events":[{"event_type":"E","event_data":1}],"events":[{"event_type":"E","event_data":1}]}', "/events"),
    (b'{"events":[{"event_type":"E","event_data":1,"event_data":2}]}', "/events/0/event_data"),
    (b'{"events":[{"event_type":"E","event_data":1,"tags":[],"t\\u0061gs":["a"]}]}', "/events/0/tags"),
]


@pytest.mark.parametrize(("body", "pointer"), BODIES, ids=lambda value: str(value)[:50])
def test_bad_appends(unchanged: Api, body: bytes, pointer: str):
    unchanged.post(f"{new_path()}/events", body).problem(400, "invalid_request", pointer)


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/v1/append", b'{"appends":[],"appends":[%b]}' % APPEND, "/appends"),
        ("/v1/batch", b'{"appends":[%b,%b]}' % (APPEND, APPEND.replace(b"{", b'{"aggregate_id":"2",', 1)),
         "/appends/1/aggregate_id"),
        ("/v1/append", b'{"appends":[%b],"condition":{"fail_if":[{},{"tags":["a"],"tags":[]}]}}' % APPEND,
         "/condition/fail_if/1/tags"),
        ("/v1/groups/g/ack", b'{"delivery_ids":["1-1"],"delivery_ids":["1-2"]}', "/delivery_ids"),
    ],
)  # fmt: skip
def test_a_key_that_stands_twice_is_named(unchanged: Api, path: str, body: bytes, pointer: str):
    problem = unchanged.post(path, body).problem(400, "invalid_request", pointer)
    assert problem["detail"] == f'the key "{pointer.rpartition("/")[2]}" stands twice in one object'


def test_a_key_that_stands_twice_in_what_is_kept_is_kept(api: Api):
    path = new_path()
    data, metadata = '{"a":1,"a":2,"event_type":1}', '{"b":1,"b":2}'
    body = f'{{"events":[{{"event_type":"E","event_data":{data},"metadata":{metadata}}}]}}'
    assert api.post(f"{path}/events", body.encode()).status == 201
    assert f'"event_data":{data},"metadata":{metadata}'.encode() in api.get(f"{path}/events").body


def test_keys_beyond_number(unchanged: Api):
    body = b'{"events":[{"event_type":"E","event_data":1%b}]}' % (b',"tags":[]' * REQUEST_KEYS_MAX)
    problem = unchanged.post(f"{new_path()}/events", body).problem(413, "payload_too_large", "")
    assert problem["keys_max"] == REQUEST_KEYS_MAX


_TEXTS = b'"' + b'a","' * (2 * REQUEST_KEYS_MAX) + b'a"'


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("{}/events", b'{"events":[{"event_type":"E","event_data":1,"tags":[%b]}]}'),
        ("/v1/append", b'{"appends":[%b],"condition":{"fail_if":[{"tags":[%%b]}]}}' % APPEND),
    ],
)
@pytest.mark.parametrize("texts", [_TEXTS, _TEXTS.replace(b"a", rb"\\")], ids=["plain", "backslashes"])
def test_texts_in_lists_beyond_number(unchanged: Api, path: str, body: bytes, texts: bytes):
    problem = unchanged.post(path.format(new_path()), body % texts).problem(413, "payload_too_large", None)
    assert problem["keys_max"] == REQUEST_KEYS_MAX


@pytest.mark.parametrize("text", [rb"\ud800", rb"\ud83d x", rb"\udc00", rb"\ud83d\ud83d", rb"\\\uDBFF\n"])
def test_half_of_a_surrogate_pair_is_called_so(unchanged: Api, text: bytes):
    for body in (
        b'{"events":[{"event_type":"%b","event_data":1}]}' % text,
        b'{"events":[{"event_type":"E","event_data":["%b"]}]}' % text,
    ):
        problem = unchanged.post(f"{new_path()}/events", body).problem(400, "invalid_request", "")
        assert problem["detail"].startswith("holds half of a surrogate pair")


@pytest.mark.parametrize("cut_off", [rb'{"a":"\ud83d', rb'{"a":"\\ud800', rb'{"a":"\ud83d\ude00', rb'{"a":"'])
def test_what_is_cut_off_is_called_so(unchanged: Api, cut_off: bytes):
    body = b'{"events":[{"event_type":"E","event_data":' + cut_off
    problem = unchanged.post(f"{new_path()}/events", body).problem(400, "invalid_request", "")
    assert problem["detail"] == "not JSON: Input data was truncated"


def test_json_nested_100_deep_is_fine(api: Api):
    assert api.post(f"{new_path()}/events", _nested(100)).status == 201


def _atomic(**more: Any) -> dict[str, Any]:
    return {"appends": [{"aggregate_type": "a", "aggregate_id": "1", **events(1)}], **more}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/appends"),
        ({"appends": []}, "/appends"),
        ({"appends": [{"aggregate_type": "a", **events(1)}]}, "/appends/0/aggregate_id"),
        ({"appends": [{"aggregate_type": 1, "aggregate_id": "1", **events(1)}]}, "/appends/0/aggregate_type"),
        ({"appends": [{"aggregate_type": "a", "aggregate_id": "1", "events": []}]}, "/appends/0/events"),
        (
            {"appends": [*_atomic()["appends"], {**_atomic()["appends"][0], "expected_version": 1}]},
            "/appends/1/expected_version",
        ),
        (_atomic(condition={}), "/condition/fail_if"),
        (_atomic(condition=None), "/condition"),
        (_atomic(condition={"fail_if": []}), "/condition/fail_if"),
        (_atomic(condition={"fail_if": [{"tags": [""]}]}), "/condition/fail_if/0/tags/0"),
        (_atomic(condition={"fail_if": [{"event_types": "x"}]}), "/condition/fail_if/0/event_types"),
        (_atomic(condition={"fail_if": [{"types": []}]}), "/condition/fail_if/0/types"),
        (_atomic(condition={"fail_if": [{"tags": ["x"]}], "after": "x"}), "/condition/after"),
        (_atomic(condition={"fail_if": [{"tags": ["x"]}], "after": 1}), "/condition/after"),
        (_atomic(condition={"fail_if": [{"tags": ["x"]}], "after": "9007199254740991"}), "/condition/after"),
        (_atomic(condition={"fail_if": [{"tags": ["x"]}] * 65}), "/condition/fail_if"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_bad_atomic_appends(unchanged: Api, body: dict[str, Any], pointer: str):
    unchanged.post("/v1/append", body).problem(400, "invalid_request", pointer)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"appends": []}, "/appends"),
        ({"appends": [], "condition": {}}, "/condition"),
        ({"appends": [{"aggregate_type": "a", "aggregate_id": 1, **events(1)}]}, "/appends/0/aggregate_id"),
    ],
)
def test_bad_batches(unchanged: Api, body: dict[str, Any], pointer: str):
    unchanged.post("/v1/batch", body).problem(400, "invalid_request", pointer)


@pytest.mark.parametrize("path", ["/v1/append", "/v1/batch"])
def test_too_many_events(unchanged: Api, path: str):
    half = REQUEST_EVENTS_MAX // 2 + 1
    append = [{"aggregate_type": "a", "aggregate_id": str(i), **events(half)} for i in range(2)]
    problem = unchanged.post(path, {"appends": append}).problem(413, "payload_too_large", "/appends")
    assert problem["events_max"] == REQUEST_EVENTS_MAX


@pytest.mark.parametrize(
    ("call", "body", "pointer"),
    [
        ("POST /v1/append", b'{"appends":[],"condition":{"fail_if":[%b]}}', "/condition/fail_if"),
        ("PUT /v1/groups/g", b'{"items":[%b]}', "/items"),
    ],
)
def test_millions_of_query_items_hold_up_nobody(unchanged: Api, call: str, body: bytes, pointer: str):
    items = b"{}," * ((REQUEST_SIZE_BYTES_MAX - 100) // 3) + b"{}"
    with held_at_most(2.0, time.process_time):
        unchanged.call(*call.split(), body % items, JSON).problem(400, "invalid_request", pointer)


@pytest.mark.parametrize("path", ["/v1/append", "/v1/batch"])
def test_too_many_tags(unchanged: Api, path: str):
    tags = [f"t{n}" for n in range(TAGS_PER_EVENT_MAX)]
    event = {"event_type": "E", "event_data": 1, "tags": tags}
    appends = [
        {"aggregate_type": "a", "aggregate_id": str(n), "events": [event] * (REQUEST_TAGS_MAX // len(tags) // 2 + 1)}
        for n in range(2)
    ]
    problem = unchanged.post(path, {"appends": appends}).problem(413, "payload_too_large", "/appends")
    assert problem["tags_max"] == REQUEST_TAGS_MAX


def test_too_many_events_for_one_aggregate(unchanged: Api):
    body = events(REQUEST_EVENTS_MAX + 1)
    unchanged.post(f"{new_path()}/events", body).problem(413, "payload_too_large", "/events")


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({}, 400, "/version"),
        ({"version": 1}, 400, "/state"),
        ({"version": 0, "state": 1}, 400, "/version"),
        ({"version": -1, "state": 1}, 400, "/version"),
        ({"version": 1.5, "state": 1}, 400, "/version"),
        ({"version": 2, "state": 1}, 400, "/version"),
        ({"version": 1, "state": 1, "metadata": 1}, 400, "/metadata"),
        ({"version": 1, "state": "x" * SNAPSHOT_SIZE_BYTES_MAX}, 413, "/state"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_snapshots(api: Api, body: dict[str, Any], status: int, pointer: str):
    path = new_path()
    api.post(f"{path}/events", events(1))
    code = "payload_too_large" if status == 413 else "invalid_request"
    api.call("PUT", f"{path}/snapshot", body).problem(status, code, pointer)
    api.get(f"{path}/snapshot").problem(404, "snapshot_not_found")


def test_a_snapshot_of_no_aggregate(unchanged: Api):
    unchanged.call("PUT", f"{new_path()}/snapshot", {"version": 1, "state": 1}).problem(404, "aggregate_not_found")


@pytest.mark.parametrize("path", ["/v1/aggregates/account/other-content-type/events", "/v1/append", "/v1/batch"])
@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", "json"]
)
def test_other_content_types(unchanged: Api, path: str, content_type: str):
    answer = unchanged.post(path, b"{}", {"content-type": content_type})
    assert answer.problem(415, "unsupported_media_type")["supported"][0] == "application/json"


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_content_types_that_say_json(api: Api, content_type: str):
    assert api.post(f"{new_path()}/events", events(1), {"content-type": content_type}).status == 201


def test_a_query_string_on_an_append(unchanged: Api):
    unchanged.post(f"{new_path()}/events?x=1", events(1)).problem(400, "invalid_request", "/x")


def test_a_compressed_body(unchanged: Api):
    answer = unchanged.post("/v1/append", gzip.compress(b"{}"), {"content-encoding": "gzip"})
    answer.problem(415, "unsupported_media_type")
