"""JSON answers end with a line end, for people at a terminal, and what is not the server's own text does not."""

from uuid import uuid4

import pytest

from rest.calls import Api, event, new_path

CLOUDEVENTS = "application/cloudevents"


@pytest.mark.parametrize(
    "path",
    ["/v1/head", "/v1/event-types", "/v1/events?limit=1", "/livez", "/readyz", "/openapi.json", "/v1/nothing"],
)
def test_json_ends_with_one_line_end(api: Api, path: str):
    answer = api.get(path)
    assert answer.body[-2:-1] in (b"}", b"]")
    assert answer.body[-1:] == b"\n"
    assert int(answer.headers["content-length"]) == len(answer.body)
    head = api.call("HEAD", path)
    assert (head.headers["content-length"], head.body) == (answer.headers["content-length"], b"")


def test_appends_and_their_errors_do(api: Api):
    path = new_path()
    for status in (201, 409):
        answer = api.post(f"{path}/events", {"expected_version": "none", "events": [event()]})
        assert (answer.status, answer.body[-2:]) == (status, b"}\n")


def test_an_event_in_binary_mode_is_what_was_sent(api: Api):
    path, event_id = new_path(), str(uuid4())
    api.post(f"{path}/events", {"events": [{"event_id": event_id, "event_type": "X", "event_data": [1]}]})
    assert api.get(f"/v1/events/{event_id}", accept=CLOUDEVENTS).body == b"[1]"
    for where, media_type in ((f"/v1/events/{event_id}", "+json"), (f"{path}/events", "-batch+json")):
        assert api.get(where, accept=f"{CLOUDEVENTS}{media_type}").body[-1:] == b"\n"
