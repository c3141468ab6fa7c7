"""Which path and method reach what."""

import pytest

from rest.calls import Api, events, new_path

AWKWARD = ["a/b", "é", "日本", "a b", "a%2Fb", "..", "a+b", "?&=#", "%", "a-b", "'\"", "💶"]


@pytest.mark.parametrize("aggregate_id", AWKWARD)
def test_ids_are_percent_decoded_from_the_raw_path(api: Api, aggregate_id: str):
    path = new_path("awkward", aggregate_id)
    assert api.post(f"{path}/events", events(1)).json["aggregate_id"] == aggregate_id
    read = api.get(f"{path}/events").json
    assert read["events"][0]["aggregate_id"] == aggregate_id
    assert api.get(path).json["aggregate_id"] == aggregate_id


@pytest.mark.parametrize("segment", ["%", "%4", "%zz", "%ff", "%c3%28", "%ed%a0%80"])
def test_broken_percent_encoding(unchanged: Api, segment: str):
    answer = unchanged.post(f"/v1/aggregates/account/{segment}/events", events(1))
    answer.problem(400, "invalid_request", "/aggregate_id")
    answer = unchanged.get(f"/v1/aggregates/{segment}/1")
    answer.problem(400, "invalid_request", "/aggregate_type")


@pytest.mark.parametrize("aggregate_id", ["", "%00", "%0a", "%7f", "a" * 256])
def test_names_that_are_not_allowed(unchanged: Api, aggregate_id: str):
    answer = unchanged.post(f"/v1/aggregates/account/{aggregate_id}/events", events(1))
    answer.problem(400, "invalid_request", "/aggregate_id")


def test_a_type_must_not_hold_a_dash(unchanged: Api):
    unchanged.post("/v1/aggregates/a-b/1/events", events(1)).problem(400, "invalid_request", "/aggregate_type")


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nope", "/v1/events/x/y", "/v1/head/", "/v2/head", "//"])
def test_unknown_paths(unchanged: Api, path: str):
    unchanged.get(path).problem(404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/events", "GET, HEAD"),
        ("PATCH", "/v1/aggregates/a/1/events", "POST, GET, HEAD"),
        ("POST", "/v1/aggregates/a/1/snapshot", "PUT, GET, HEAD"),
        ("GET", "/v1/append", "POST"),
        ("DELETE", "/v1/aggregates/a/1", "GET, HEAD"),
    ],
)
def test_other_methods(unchanged: Api, method: str, path: str, allowed: str):
    answer = unchanged.call(method, path)
    assert answer.problem(405, "method_not_allowed")["allowed"] == allowed.split(", ")
    assert answer.headers["allow"] == allowed


def test_head_answers_without_a_body(api: Api):
    path = new_path()
    api.post(f"{path}/events", events(3))
    answer = api.call("HEAD", path)
    assert (answer.status, answer.body, answer.headers["etag"]) == (200, b"", '"3"')
    answer = api.call("HEAD", f"{path}/events", headers={"accept": "application/x-ndjson"})
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"", "application/x-ndjson")
    assert api.call("HEAD", "/v1/nope").status == 404
