"""Consumer groups over HTTP: what is answered, and what is refused, with the place of the mistake."""

from typing import Any
from uuid import uuid4

import pytest

from indelible.limits import GROUP_SETTLE_MAX
from rest.calls import Api, connected, new_path
from rest.group_calls import Group

# --- Groups ----------------------------------------------------------------------------------------------------------


def test_a_group_is_made_once(api: Api):
    group = Group(api, max_attempts=3, ack_timeout_s=7)
    first = group.get()
    assert first["items"] == [{"event_types": [], "aggregate_types": [], "tags": [group.tag]}]
    assert (first["group"], first["max_attempts"], first["ack_timeout_s"]) == (group.name, 3, 7.0)
    assert (first["cursor"], first["position"], first["is_stalled"]) == ("0", 0, False)
    again = api.call("PUT", group.path, group.body)
    assert (again.status, again.json["created"]) == (200, first["created"])
    other = api.call("PUT", group.path, {**group.body, "max_attempts": 4})
    assert other.problem(409, "group_exists")["group"] == group.name
    assert group.name in [one["group"] for one in api.get("/v1/groups").json["groups"]]


def test_settings_are_changed(api: Api):
    group = Group(api)
    changed = api.call("PATCH", group.path, {"max_in_flight": 2})
    assert (changed.status, changed.json["max_in_flight"], changed.json["max_attempts"]) == (200, 2, 5)
    group.append(1)
    group.append(1)
    group.append(1)
    assert len(group.pull()) == 2


def test_a_group_is_deleted(api: Api):
    group = Group(api)
    answer = api.call("DELETE", group.path)
    assert (answer.status, answer.body) == (204, b"")
    assert not {"content-type", "content-length", "transfer-encoding"} & {*answer.headers}
    assert api.get(group.path).problem(404, "group_not_found")["group"] == group.name
    api.call("DELETE", group.path).problem(404, "group_not_found")
    assert api.call("PUT", group.path, group.body).status == 201


@pytest.mark.parametrize("name", ["a/b", "é", "日本", "a b", "a%2Fb", "..", "a+b", "?&=#", "%", "'\"", "💶"])
def test_names_are_percent_decoded_from_the_raw_path(api: Api, name: str):
    group = Group(api, f"{name}{uuid4().hex}" if name != ".." else name)
    assert group.get()["group"] == group.name
    group.append(1)
    assert group.settle("ack", group.pull()) == {"settled": 1, "lost": []}
    assert group.get("/in-flight") == {"in_flight": []}


@pytest.mark.parametrize("segment", ["", "%", "%zz", "%ff", "%00", "%0a", "a" * 256])
def test_names_that_are_not_allowed(unchanged: Api, segment: str):
    path = f"/v1/groups/{segment}"
    unchanged.get(path).problem(400, "invalid_request", "/group")
    unchanged.call("PUT", path, {}).problem(400, "invalid_request", "/group")
    unchanged.post(f"{path}/pull", {}).problem(400, "invalid_request", "/group")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/v1/groups", "GET, HEAD"),
        ("POST", "/v1/groups/x", "PUT, GET, PATCH, DELETE, HEAD"),
        ("GET", "/v1/groups/x/pull", "POST"),
        ("DELETE", "/v1/groups/x/parked", "GET, HEAD"),
    ],
)
def test_other_methods(unchanged: Api, method: str, path: str, allowed: str):
    answer = unchanged.call(method, path)
    assert answer.problem(405, "method_not_allowed")["allowed"] == allowed.split(", ")
    assert answer.headers["allow"] == allowed


def test_head_answers_without_a_body(api: Api):
    group = Group(api)
    for path in ("/v1/groups", group.path, f"{group.path}/in-flight", f"{group.path}/parked", f"{group.path}/skipped"):
        answer = api.call("HEAD", path)
        assert (answer.status, answer.body) == (200, b"")


# --- Consuming -------------------------------------------------------------------------------------------------------


def test_events_come_one_an_aggregate_and_are_acknowledged(api: Api):
    group = Group(api)
    path = new_path()
    group.append(2, path)
    group.append(1)
    first, other = group.pull(member="one")
    assert (first["attempt"], first["event"]["version"], other["event"]["version"]) == (1, 1, 1)
    # The event is the same text that a read gives.
    stored = api.get(f"{path}/events").json["events"]
    assert first["event"] == stored[0]
    assert group.pull() == []
    (in_flight, _) = group.get("/in-flight")["in_flight"]
    assert (in_flight["position"], in_flight["member"]) == (first["event"]["position"], "one")
    assert in_flight["deadline"] == first["deadline"]
    assert group.settle("ack", [first, other]) == {"settled": 2, "lost": []}
    (second,) = group.pull()
    assert second["event"] == stored[1]


def test_what_is_lost_is_named(api: Api):
    group = Group(api)
    group.append(1)
    first = group.pull()
    assert api.post(f"{group.path}/reset", {"start": "beginning"}).json["position"] == 0
    assert group.settle("ack", first) == {"settled": 0, "lost": [first[0]["delivery_id"]]}
    assert group.settle("extend", first, ack_timeout_s=5)["lost"] == [first[0]["delivery_id"]]
    (again,) = group.pull()
    assert again["event"] == first[0]["event"]


def test_more_time_is_given(api: Api):
    group = Group(api, ack_timeout_s=60)
    group.append(1)
    (first,) = group.pull()
    assert group.settle("extend", [first], ack_timeout_s=600) == {"settled": 1, "lost": []}
    assert group.get("/in-flight")["in_flight"][0]["deadline"] > first["deadline"]


def test_refused_events_come_again_or_are_parked(api: Api):
    group = Group(api, max_attempts=2)
    group.append(3)
    assert group.settle("nack", group.pull(), reason="not now")["settled"] == 1
    (again,) = group.pull()
    assert again["attempt"] == 2
    group.settle("nack", [again], reason="not at all")
    assert group.pull() == []
    (parked,) = group.get("/parked")["parked"]
    assert (parked["position"], parked["attempts"]) == (again["event"]["position"], 2)
    assert (parked["reason"], parked["following"]) == ("not at all", 2)
    assert group.get()["parked"] == 3


def _park(group: Group, count: int) -> list[int]:
    """Positions of the parked events, one an aggregate; another event waits behind each."""
    for _ in range(count):
        group.append(2)
    deliveries = group.pull()
    group.settle("nack", deliveries, park=True, reason="bad")
    return [one["event"]["position"] for one in deliveries]


def test_parked_events_are_redriven_and_skipped(api: Api):
    group = Group(api)
    positions = _park(group, 4)
    group.post("parked/redrive", {"positions": [positions[0], 1]}).problem(404, "parked_event_not_found")
    problem = group.post("parked/skip", {"positions": [1], "reason": "x"}).problem(404, "parked_event_not_found")
    assert (problem["group"], problem["position"]) == (group.name, 1)
    assert group.post("parked/redrive", {"positions": positions[:1]}).json == {"redriven": 1}
    assert group.post("parked/skip", {"positions": positions[1:2], "reason": "void"}).json == {"skipped": 1}
    assert group.post("parked/redrive", {"all": True}).json == {"redriven": 2}
    assert group.get("/parked") == {"parked": [], "cursor": group.get("/parked")["cursor"], "at_end": True}
    (skipped,) = group.get("/skipped")["skipped"]
    assert (skipped["position"], skipped["reason"], skipped["parked_reason"]) == (positions[1], "void", "bad")
    assert len(group.pull()) == 4


@pytest.mark.parametrize("what", ["parked", "skipped"])
def test_lists_come_in_pages(api: Api, what: str):
    group = Group(api)
    positions = _park(group, 5)
    if what == "skipped":
        group.post("parked/skip", {"positions": positions, "reason": "void"})
    found, target = [], f"{group.path}/{what}?limit=2"
    for size, at_end in ((2, False), (2, False), (1, True)):
        answer = api.get(target)
        assert (len(answer.json[what]), answer.json["at_end"]) == (size, at_end)
        found += [one["position"] for one in answer.json[what]]
        link = answer.headers.get("link", "")
        assert ("link" in answer.headers) != at_end
        target = link[1:].partition(">")[0]
    assert found == positions


# --- What is refused -------------------------------------------------------------------------------------------------

IDS = {"delivery_ids": ["1-1"]}
BAD: list[tuple[str, Any, str]] = [
    ("PUT ", [], ""),
    ("PUT ", {"unknown": 1}, "/unknown"),
    ("PUT ", {"items": [{"tags": [""]}]}, "/items/0/tags/0"),
    ("PUT ", {"items": [{"colours": []}]}, "/items/0/colours"),
    ("PUT ", {"items": [{}] * 65}, "/items"),
    ("PUT ", {"start": "middle"}, "/start"),
    ("PUT ", {"start": "end", "after": "0"}, "/start"),
    ("PUT ", {"after": "x"}, "/after"),
    ("PUT ", {"after": "9000000000000000"}, "/after"),
    ("PUT ", {"since": "2026-01-31T12:00:00"}, "/since"),
    ("PUT ", {"since": "today"}, "/since"),
    ("PUT ", {"ack_timeout_s": 0}, "/ack_timeout_s"),
    ("PUT ", {"ack_timeout_s": "1"}, "/ack_timeout_s"),
    ("PUT ", {"max_attempts": 0}, "/max_attempts"),
    ("PUT ", {"max_attempts": 1.5}, "/max_attempts"),
    ("PUT ", {"max_in_flight": 10_001}, "/max_in_flight"),
    ("PATCH ", {}, ""),
    ("PATCH ", {"items": []}, "/items"),
    ("PATCH ", {"max_attempts": None}, "/max_attempts"),
    ("PATCH ", {"ack_timeout_s": 1e9}, "/ack_timeout_s"),
    ("POST /reset", {}, "/start"),
    ("POST /reset", {"start": "end", "since": "2026-01-31T12:00:00Z"}, "/start"),
    ("POST /pull", {"limit": 0}, "/limit"),
    ("POST /pull", {"limit": 1_001}, "/limit"),
    ("POST /pull", {"wait_s": -1}, "/wait_s"),
    ("POST /pull", {"wait_s": 31}, "/wait_s"),
    ("POST /pull", {"wait_s": "1"}, "/wait_s"),
    ("POST /pull", {"member": "a\u0000"}, "/member"),
    ("POST /ack", {}, "/delivery_ids"),
    ("POST /ack", {"delivery_ids": []}, "/delivery_ids"),
    ("POST /ack", {"delivery_ids": ["1-1"] * (GROUP_SETTLE_MAX + 1)}, "/delivery_ids"),
    ("POST /ack", {"delivery_ids": ["1-1", "x"]}, "/delivery_ids/1"),
    ("POST /ack", {"delivery_ids": "1-1"}, "/delivery_ids"),
    ("POST /nack", {**IDS, "delay_s": -1}, "/delay_s"),
    ("POST /nack", {**IDS, "delay_s": 86_401}, "/delay_s"),
    ("POST /nack", {**IDS, "reason": "x" * 1_001}, "/reason"),
    ("POST /nack", {**IDS, "reason": "\u0000"}, "/reason"),
    ("POST /nack", {**IDS, "park": "yes"}, "/park"),
    ("POST /extend", {**IDS, "ack_timeout_s": 0}, "/ack_timeout_s"),
    ("POST /extend", {**IDS, "delay_s": 0}, "/delay_s"),
    ("POST /parked/redrive", {}, "/positions"),
    ("POST /parked/redrive", {"all": True, "positions": [1]}, "/all"),
    ("POST /parked/redrive", {"positions": []}, "/positions"),
    ("POST /parked/redrive", {"positions": [1, 0]}, "/positions/1"),
    ("POST /parked/skip", {"positions": [1]}, "/reason"),
    ("POST /parked/skip", {"positions": [1], "reason": ""}, "/reason"),
    ("POST /parked/skip", {"positions": ["1"], "reason": "x"}, "/positions/0"),
]


@pytest.fixture(scope="module")
def group_path(url: str) -> str:
    with connected(url) as api:
        return Group(api).path


@pytest.mark.parametrize(("call", "body", "pointer"), BAD, ids=lambda value: str(value)[:40])
def test_bad_bodies(unchanged: Api, group_path: str, call: str, body: Any, pointer: str):
    method, what = call.split(" ")
    before = unchanged.get(group_path).json
    unchanged.call(method, f"{group_path}{what}", body).problem(400, "invalid_request", pointer)
    assert unchanged.get(group_path).json == before


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("limit=0", "/limit"), ("limit=1001", "/limit"), ("limit=x", "/limit"), ("after=x", "/after"), ("x=1", "/x")],
)
@pytest.mark.parametrize("what", ["parked", "skipped"])
def test_bad_pages(unchanged: Api, group_path: str, what: str, query: str, pointer: str):
    unchanged.get(f"{group_path}/{what}?{query}").problem(400, "invalid_request", pointer)


@pytest.mark.parametrize(
    ("method", "what", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"max_attempts": 1}),
        ("POST", "/reset", {"start": "end"}),
        ("POST", "/pull", {}),
        ("POST", "/pull", {"wait_s": 30}),
        ("POST", "/ack", IDS),
        ("POST", "/nack", IDS),
        ("POST", "/extend", IDS),
        ("GET", "/in-flight", None),
        ("GET", "/parked", None),
        ("POST", "/parked/redrive", {"all": True}),
        ("POST", "/parked/skip", {"positions": [1], "reason": "x"}),
        ("GET", "/skipped", None),
        ("DELETE", "", None),
    ],
)
def test_a_group_that_does_not_exist(unchanged: Api, method: str, what: str, body: Any):
    answer = unchanged.call(method, f"/v1/groups/nobody{what}", body)
    assert answer.problem(404, "group_not_found")["group"] == "nobody"


def test_bodies_must_be_json(unchanged: Api, group_path: str):
    for method, what in (("PUT", ""), ("PATCH", ""), ("POST", "/pull")):
        unchanged.call(method, f"{group_path}{what}", b"").problem(400, "invalid_request", "")
        answer = unchanged.call(method, f"{group_path}{what}", b"x", {"content-type": "text/plain"})
        answer.problem(415, "unsupported_media_type")
