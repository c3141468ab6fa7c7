"""Appending over HTTP: one aggregate, many aggregates, batches."""

from uuid import uuid4

import pytest

from rest.calls import Api, event, events, new_path


def test_a_new_append_is_201_and_the_same_again_is_200(api: Api):
    path = new_path(aggregate_id="a-1")
    body = {"expected_version": 0, "events": [event(event_id=str(uuid4())), event("Closed", event_id=str(uuid4()))]}
    first = api.post(f"{path}/events", body)
    assert (first.status, first.headers["etag"]) == (201, '"2"')
    answer = first.json
    assert list(answer) == ["aggregate_type", "aggregate_id", "version", "position", "events", "replayed"]
    assert (answer["aggregate_id"], answer["version"], answer["replayed"]) == ("a-1", 2, False)
    assert [one["event_id"] for one in answer["events"]] == [one["event_id"] for one in body["events"]]
    assert [one["version"] for one in answer["events"]] == [1, 2]
    assert answer["events"][1]["position"] == answer["position"]

    again = api.post(f"{path}/events", body)
    assert (again.status, again.json) == (200, answer | {"replayed": True})


def test_a_version_conflict_names_both_versions(api: Api):
    path = new_path()
    api.post(f"{path}/events", events(3))
    problem = api.post(f"{path}/events", {"expected_version": 2, **events(1)}).problem(409, "version_conflict")
    assert (problem["expected_version"], problem["actual_version"]) == (2, 3)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": '"2"'}, 201),
        ({"If-Match": "*"}, 201),
        ({"If-Match": '"1"'}, 412),
        ({"If-Match": '"0"'}, 412),
        ({"If-None-Match": "*"}, 412),
    ],
)
def test_a_precondition_by_header(api: Api, headers: dict[str, str], status: int):
    path = new_path()
    api.post(f"{path}/events", events(2))
    answer = api.post(f"{path}/events", events(1), headers)
    assert answer.status == status
    if status == 412:
        assert answer.problem(412, "version_conflict")["actual_version"] == 2
    assert answer.headers["etag"] == ('"3"' if status == 201 else '"2"')


def test_if_none_match_starts_an_aggregate(api: Api):
    assert api.post(f"{new_path()}/events", events(1), {"If-None-Match": "*"}).status == 201
    assert api.post(f"{new_path()}/events", events(1), {"If-Match": "*"}).problem(412, "version_conflict")


def test_header_and_body_must_agree(unchanged: Api):
    path = new_path()
    body = {"expected_version": 0, **events(1)}
    unchanged.post(f"{path}/events", body, {"If-Match": '"1"'}).problem(400, "invalid_request", "/expected_version")
    # Equal is not enough of a reason to refuse; the conflict then is one by header.
    both = {"expected_version": 1, **events(1)}
    unchanged.post(f"{path}/events", both, {"If-Match": '"1"'}).problem(412, "version_conflict")


@pytest.mark.parametrize("headers", [{"If-Match": "3"}, {"If-Match": 'W/"3"'}, {"If-Match": '"3", "4"'},
                                     {"If-None-Match": '"3"'}, {"If-Match": "*", "If-None-Match": "*"}])  # fmt: skip
def test_a_precondition_that_cannot_be_read(unchanged: Api, headers: dict[str, str]):
    problem = unchanged.post(f"{new_path()}/events", events(1), headers).problem(400, "invalid_request")
    assert problem["pointer"] in ("/If-Match", "/If-None-Match")


def test_an_event_id_conflict(api: Api):
    event_id = str(uuid4())
    path = f"{new_path()}/events"
    api.post(path, {"events": [event(event_id=event_id)]})
    problem = api.post(path, {"events": [event("Other", event_id=event_id)]}).problem(409, "event_id_conflict")
    assert problem["event_id"] == event_id


def test_atomic_append(api: Api):
    ids = [uuid4().hex, uuid4().hex]
    appends = [
        {"aggregate_type": "account", "aggregate_id": one, "expected_version": "none", **events(2)} for one in ids
    ]
    answer = api.post("/v1/append", {"appends": appends})
    assert answer.status == 201
    assert answer.json["replayed"] is False
    assert [one["aggregate_id"] for one in answer.json["results"]] == ids
    assert [one["version"] for one in answer.json["results"]] == [2, 2]
    assert answer.json["position"] == answer.json["results"][1]["position"]


def test_atomic_append_is_whole_or_not_at_all(unchanged: Api):
    appends = [
        {"aggregate_type": "account", "aggregate_id": uuid4().hex, **events(1)},
        {"aggregate_type": "account", "aggregate_id": uuid4().hex, "expected_version": "exists", **events(1)},
    ]
    unchanged.post("/v1/append", {"appends": appends}).problem(409, "version_conflict")


def test_a_condition_that_fails_names_the_position(api: Api):
    tag = uuid4().hex
    position = api.post(f"{new_path()}/events", {"events": [event(tags=[tag])]}).json["position"]
    appends = [{"aggregate_type": "account", "aggregate_id": uuid4().hex, **events(1)}]
    condition = {"fail_if": [{"event_types": ["Deposited"], "tags": [tag]}]}
    problem = api.post("/v1/append", {"appends": appends, "condition": condition}).problem(409, "condition_failed")
    assert problem["position"] == position
    after = {"appends": appends, "condition": {**condition, "after": str(position)}}
    assert api.post("/v1/append", after).status == 201


def test_pointers_of_an_atomic_append_begin_at_its_array(unchanged: Api):
    append = {"aggregate_type": "account", "aggregate_id": "", **events(1)}
    unchanged.post("/v1/append", {"appends": [append]}).problem(400, "invalid_request", "/appends/0/aggregate_id")


def test_every_append_of_a_batch_has_its_own_outcome(api: Api):
    one = uuid4().hex
    appends = [
        {"aggregate_type": "account", "aggregate_id": one, "expected_version": 0, **events(2)},
        {"aggregate_type": "account", "aggregate_id": one, "expected_version": 0, **events(1)},
        {"aggregate_type": "account", "aggregate_id": one, "expected_version": 2, **events(1)},
        {"aggregate_type": "a-b", "aggregate_id": one, **events(1)},
        {"aggregate_type": "account", "aggregate_id": one, "events": [event(""), event()]},
        {"aggregate_type": "account", "aggregate_id": one, "events": []},
    ]
    before = api.head_position()
    answer = api.post("/v1/batch", {"appends": appends})
    assert answer.status == 200
    results = answer.json["results"]
    assert [one["status"] for one in results] == [201, 409, 201, 400, 400, 400]
    assert [one["body"].get("version") for one in results] == [2, None, 3, None, None, None]
    assert results[1]["body"]["code"] == "version_conflict"
    pointers = [one["body"].get("pointer") for one in results]
    assert pointers == [None, None, None, "/aggregate_type", "/events/0/event_type", "/events"]
    assert api.head_position() == before + 3


def test_event_data_that_is_not_json(api: Api):
    path = new_path()
    sent = {"event_type": "Scanned", "event_data_base64": "AP8Q", "content_type": "image/png"}
    assert api.post(f"{path}/events", {"events": [sent]}).status == 201
    read = api.get(f"{path}/events").json["events"][0]
    assert {name: read[name] for name in sent} == sent
    assert "event_data" not in read
    by_id = api.get(f"/v1/events/{read['event_id']}")
    assert by_id.json == read
