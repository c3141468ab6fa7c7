"""Reading over HTTP: pages, links, streams, snapshots, catalogues."""

import json
import re
from collections.abc import Iterator
from uuid import uuid4

import pytest

from indelible.limits import PAGE_EVENTS_MAX
from rest.calls import Answer, Api, event, events, new_path

NDJSON = "application/x-ndjson"


def _next(answer: Answer) -> str | None:
    link = re.fullmatch(r'<(/[^<>]*)>; rel="next"', answer.headers.get("link", ""))
    return link[1] if link else None


def _follow(api: Api, target: str | None) -> Iterator[Answer]:
    while target is not None:
        answer = api.get(target)
        assert answer.status == 200
        yield answer
        target = _next(answer)


def _lines(answer: Answer) -> list[dict[str, object]]:
    assert (answer.status, answer.headers["content-type"]) == (200, NDJSON)
    return [json.loads(line) for line in answer.body.splitlines()]


@pytest.fixture(scope="module")
def tag() -> str:
    return uuid4().hex


@pytest.fixture
def path(api: Api, tag: str) -> str:
    """An aggregate of 7 events, each with the tag; an awkward id, to see it through links."""
    path = new_path("read", f"é/{tag}")
    body = {"expected_version": 0, "events": [event(f"E{i}", tags=[tag]) for i in range(7)]}
    assert api.post(f"{path}/events", body).status in (201, 409)
    return path


@pytest.mark.parametrize(
    ("direction", "order"), [("forward", [1, 2, 3, 4, 5, 6, 7]), ("backward", [7, 6, 5, 4, 3, 2, 1])]
)
def test_pages_of_an_aggregate(api: Api, path: str, direction: str, order: list[int]):
    pages = list(_follow(api, f"{path}/events?limit=3&direction={direction}"))
    assert [[one["version"] for one in page.json["events"]] for page in pages] == [order[:3], order[3:6], order[6:]]
    assert {page.json["version"] for page in pages} == {7}
    assert pages[0].json["next_version"] == order[3]
    assert pages[2].json["next_version"] is None


def test_a_range_of_an_aggregate(api: Api, path: str):
    page = api.get(f"{path}/events?from_version=3&to_version=5").json
    assert [one["version"] for one in page["events"]] == [3, 4, 5]
    assert api.get(f"{path}/events?from_version=8").json == {"events": [], "version": 7, "next_version": None}


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_pages_of_the_feed(api: Api, path: str, tag: str, direction: str):
    pages = list(_follow(api, f"/v1/events?tag={tag}&limit=3&direction={direction}"))
    assert [page.json["at_end"] for page in pages][-1] is True
    versions = [one["version"] for page in pages for one in page.json["events"]]
    assert versions == (list(range(1, 8)) if direction == "forward" else list(range(7, 0, -1)))
    assert path


def test_filters_of_the_feed(api: Api, path: str, tag: str):
    def types(query: str) -> list[str]:
        found, after, at_end = [], "", False
        while not at_end:  # a page that looked at much may be short, or empty
            page = api.get(f"/v1/events?{query}&after={after}").json
            found += [one["event_type"] for one in page["events"]]
            after, at_end = page["cursor"], page["at_end"]
        return found

    assert types(f"tag={tag}&event_type=E1&event_type=E5") == ["E1", "E5"]
    assert types(f"tag={tag}&aggregate_type=other") == []
    assert types(f"tag={tag}&tag=other") == []
    items = json.dumps([{"event_types": ["E2"], "tags": [tag]}, {"event_types": ["E4"], "tags": [tag]}])
    assert types(f"items={items.replace(' ', '')}".replace('"', "%22")) == ["E2", "E4"]
    time = api.get(f"{path}/events").json["events"][0]["timestamp"]
    assert len(types(f"tag={tag}&since={time}")) == 7
    assert types(f"tag={tag}&until={time}") == []
    assert types(f"tag={tag}&since=2999-01-01T00:00:00%2B01:00") == []


def test_a_stream_has_no_page_limit(api: Api):
    path = new_path()
    count = PAGE_EVENTS_MAX + 5
    api.post(f"{path}/events", events(count))
    assert [one["version"] for one in _lines(api.get(f"{path}/events", accept=NDJSON))] == list(range(1, count + 1))
    last_two = f"{path}/events?direction=backward&limit={count - 1}"
    assert [one["version"] for one in _lines(api.get(last_two, accept=NDJSON))] == list(range(count, 1, -1))
    last = api.get(f"{path}/events?direction=backward&limit=1").json["events"][0]["position"]
    assert [one["position"] for one in _lines(api.get(f"/v1/events?limit={last - 1}", accept=NDJSON))] == list(
        range(1, last)
    )
    # An odd limit far above a page must neither stop at the page nor go past it.
    assert (
        len(_lines(api.get(f"/v1/events?after={last - count}&limit={PAGE_EVENTS_MAX + 1}", accept=NDJSON)))
        == PAGE_EVENTS_MAX + 1
    )


def test_a_stream_of_nothing(api: Api):
    assert api.get("/v1/events?tag=none-has-this", accept=NDJSON).body == b""
    api.get(f"{new_path()}/events", accept=NDJSON).problem(404, "aggregate_not_found")


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/x-ndjson;q=0.4, application/json;q=0.5", "application/json"),
        ("application/x-ndjson, application/json;q=0.5", NDJSON),
        ("text/html, */*;q=0.1", "application/json"),
        ("APPLICATION/X-NDJSON", NDJSON),
        ("application/json;q=0, */*", NDJSON),
    ],
)
def test_negotiation(api: Api, path: str, accept: str, content_type: str):
    assert api.get(f"{path}/events", accept=accept).headers["content-type"] == content_type
    assert api.get("/v1/events", accept=accept).headers["content-type"] == content_type


def test_a_media_type_that_is_not_offered(path: str, unchanged: Api):
    for target in (f"{path}/events", "/v1/events"):
        offered = unchanged.get(target, accept="text/html").problem(406, "not_acceptable")["offered"]
        assert offered[:2] == ["application/json", NDJSON]


def test_an_aggregate_and_its_absence(api: Api, path: str):
    answer = api.get(path)
    assert answer.headers["etag"] == '"7"'
    assert list(answer.json) == ["aggregate_type", "aggregate_id", "version", "first_timestamp", "last_timestamp"]
    absent = new_path("read", "absent")
    for target in (absent, f"{absent}/events", f"{absent}/replay"):
        problem = api.get(target).problem(404, "aggregate_not_found")
        assert (problem["aggregate_type"], problem["aggregate_id"]) == ("read", "absent")


def test_snapshot_and_replay(api: Api):
    path = new_path()
    api.post(f"{path}/events", events(5))
    api.get(f"{path}/snapshot").problem(404, "snapshot_not_found")
    assert api.get(f"{path}/replay").json["snapshot"] is None
    for version in (2, 4):
        answer = api.call("PUT", f"{path}/snapshot", {"version": version, "state": {"at": version}})
        assert (answer.status, answer.json["version"]) == (200, version)
    assert api.get(f"{path}/snapshot").json["state"] == {"at": 4}
    assert api.get(f"{path}/snapshot?at_version=3").json["state"] == {"at": 2}
    api.get(f"{path}/snapshot?at_version=1").problem(404, "snapshot_not_found")
    replay = api.get(f"{path}/replay?at_version=3").json
    assert (replay["snapshot"]["version"], [one["version"] for one in replay["events"]]) == (2, [3])
    assert (replay["version"], replay["next_version"]) == (5, None)
    above = api.call("PUT", f"{path}/snapshot", {"version": 6, "state": 0})
    assert above.problem(400, "invalid_request", "/version")["actual_version"] == 5


def test_a_long_replay_goes_on_where_its_link_points(api: Api):
    path = new_path()
    api.post(f"{path}/events", events(PAGE_EVENTS_MAX + 3))
    first, *rest = _follow(api, f"{path}/replay?at_version={PAGE_EVENTS_MAX + 2}")
    versions = [one["version"] for answer in (first, *rest) for one in answer.json["events"]]
    assert versions == list(range(1, PAGE_EVENTS_MAX + 3))


def test_one_event(api: Api, path: str):
    one = api.get(f"{path}/events").json["events"][2]
    assert api.get(f"/v1/events/{one['event_id']}").json == one
    assert api.get(f"/v1/events/{uuid4()}").problem(404, "event_not_found")
    api.get("/v1/events/not-a-uuid").problem(400, "invalid_request", "/event_id")


def test_head_and_catalogues(api: Api, path: str):
    head = api.get("/v1/head").json
    assert head["cursor"] == str(head["position"])
    assert api.get(f"/v1/events?after={head['cursor']}").json == {
        "events": [],
        "cursor": head["cursor"],
        "at_end": True,
    }
    types = api.get("/v1/event-types").json["event_types"]
    assert {"event_type": "E3", "aggregate_type": "read", "events": 1} in types
    kinds = {one["aggregate_type"]: one for one in api.get("/v1/aggregate-types").json["aggregate_types"]}
    assert kinds["read"] == {"aggregate_type": "read", "aggregates": 1, "events": 7}
    listed = [one for answer in _follow(api, "/v1/aggregates?limit=2") for one in answer.json["aggregates"]]
    assert len(listed) == sum(kind["aggregates"] for kind in kinds.values())
    only = api.get("/v1/aggregates?aggregate_type=read").json
    assert ([one["version"] for one in only["aggregates"]], only["at_end"]) == ([7], True)
    (only,) = api.get("/v1/event-types?prefix=E3").json["event_types"]
    assert only["event_type"] == "E3"
    assert api.get("/v1/aggregate-types?prefix=rea").json["aggregate_types"] == [kinds["read"]]
    paged = [
        one for answer in _follow(api, "/v1/aggregates?limit=1&prefix=%C3%A9/") for one in answer.json["aggregates"]
    ]
    assert paged == [one for one in listed if one["aggregate_id"].startswith("é/")] != []
    assert path


@pytest.mark.parametrize(
    ("target", "pointer"),
    [
        ("/v1/events?limit=0", "/limit"),
        ("/v1/events?limit=1001", "/limit"),
        ("/v1/events?limit=-1", "/limit"),
        ("/v1/events?limit=1.0", "/limit"),
        ("/v1/events?limit=", "/limit"),
        ("/v1/events?limit", "/limit"),
        ("/v1/events?limit=1&limit=2", "/limit"),
        ("/v1/events?limit=%31%", "/limit"),
        ("/v1/events?limit=9999999999999999999999", "/limit"),
        ("/v1/events?unknown=1", "/unknown"),
        ("/v1/events?&", "/"),
        ("/v1/events?tag=%ff", "/tag"),
        ("/v1/events?tag=", "/tag"),
        ("/v1/events?event_type=", "/event_type"),
        ("/v1/events?aggregate_type=%00", "/aggregate_type"),
        ("/v1/events?direction=up", "/direction"),
        ("/v1/events?direction=", "/direction"),
        ("/v1/events?after=x", "/after"),
        ("/v1/events?after=-1", "/after"),
        ("/v1/events?after=9007199254740991", "/after"),
        ("/v1/events?after=99999999999999999999", "/after"),
        ("/v1/events?since=yesterday", "/since"),
        ("/v1/events?since=2026-01-01T00:00:00", "/since"),
        ("/v1/events?until=2026-01-01T00:00:00+01:00", "/until"),
        ("/v1/events?items=x", "/items"),
        ("/v1/events?items=[]&tag=x", "/items"),
        ("/v1/aggregates?after=x", "/after"),
        ("/v1/aggregates?aggregate_type=a-b", "/aggregate_type"),
        ("/v1/aggregates?limit=0", "/limit"),
        ("/v1/aggregates/a/1/events?from_version=0", "/from_version"),
        ("/v1/aggregates/a/1/events?to_version=-3", "/to_version"),
        ("/v1/aggregates/a/1/events?to_version=1.5", "/to_version"),
        ("/v1/aggregates/a/1/events?direction=", "/direction"),
        ("/v1/aggregates/a/1/replay?at_version=0", "/at_version"),
        ("/v1/aggregates/a/1/snapshot?at_version=x", "/at_version"),
        ("/v1/aggregates/a/1?x=1", "/x"),
        ("/v1/head?x=1", "/x"),
        ("/v1/event-types?x=1", "/x"),
        ("/v1/aggregate-types?x=1", "/x"),
    ],
)
def test_parameters_that_are_not_allowed(unchanged: Api, target: str, pointer: str):
    unchanged.get(target).problem(400, "invalid_request", pointer)


def test_a_stream_checks_its_limit_too(unchanged: Api):
    unchanged.get("/v1/events?limit=0", accept=NDJSON).problem(400, "invalid_request", "/limit")
