"""Subscriptions as server-sent events: what is on the wire, and what a subscriber may ask for."""

import re
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from indelible.server import streams
from rest.calls import Api, connected, event, events, new_path
from rest.sse import subscribed

SSE = {"accept": "text/event-stream"}


def append(api: Api, *sent: dict[str, object], path: str | None = None) -> list[str]:
    """The ids that the events got."""
    answer = api.post(f"{path or new_path()}/events", {"events": list(sent)})
    assert answer.status == 201, answer
    return [stored["event_id"] for stored in answer.json["events"]]


def test_events_that_are_there_then_caught_up_once_then_events_as_they_come(api: Api, url: str):
    start = api.head_position()
    ids = append(api, event(), event())
    with subscribed(url, after=start) as stream:
        *there, caught_up = stream.until_caught_up()
        assert [message.json["event_id"] for message in there] == ids
        assert [message.id for message in there] == [str(start + 1), str(start + 2)]
        assert (caught_up.event, caught_up.id, caught_up.json) == (
            "caught-up",
            str(start + 2),
            {"cursor": there[-1].id},
        )
        for number in range(3):
            (event_id,) = append(api, event(event_data={"number": number}))
            message = next(stream.messages())
            assert (message.event, message.json["event_id"]) == ("", event_id)


def test_the_data_is_the_line_that_every_read_gives(api: Api, url: str):
    start = api.head_position()
    append(api, event(event_data={"text": "a\nb\r\n\u2028ż", "n": 12345678901234567890}))
    with subscribed(url, after=start) as stream:
        (message,) = stream.take(1)
    lines = api.get(f"/v1/events?after={start}", accept="application/x-ndjson").body
    assert message.data.encode() + b"\n" == lines


def test_the_bytes_on_the_wire(api: Api, url: str):
    start = api.head_position()
    append(api, event())
    with subscribed(url, after=start) as stream:
        lines = [stream.response.readline() for _ in range(7)]
    cursor = str(start + 1).encode()
    assert lines[0] == b"id: %b\n" % cursor
    assert lines[1].startswith(b'data: {"event_id":"')
    assert lines[2:] == [b"\n", b"id: %b\n" % cursor, b"event: caught-up\n", b'data: {"cursor":"%b"}\n' % cursor, b"\n"]


def test_from_the_first_event_without_after(api: Api, url: str):
    append(api, event())
    with subscribed(url) as stream:
        assert stream.take(1)[0].json["position"] == 1


def test_last_event_id_goes_before_after(api: Api, url: str):
    start = api.head_position()
    ids = append(api, *(event() for _ in range(4)))
    with subscribed(url, {"last-event-id": str(start + 2)}, after=start) as stream:
        assert [message.json["event_id"] for message in stream.take(2)] == ids[2:]
    with subscribed(url, {"last-event-id": ""}, after=start + 3) as stream:
        assert stream.take(1)[0].json["event_id"] == ids[3]


@pytest.mark.parametrize(
    ("target", "headers", "pointer"),
    [
        ("after=x", {}, "/after"),
        ("after=-1", {}, "/after"),
        ("after=999999999", {}, "/after"),
        ("", {"last-event-id": "x"}, "/Last-Event-ID"),
        ("after=0&direction=forward", {}, "/direction"),
        ("direction=backward", {}, "/direction"),
        ("limit=5", {}, "/limit"),
        ("gather_s=soon", {}, "/gather_s"),
        ("gather_s=11", {}, "/gather_s"),
        ("since=yesterday", {}, "/since"),
        ("items=%7B", {}, "/items"),
        ("tag=", {}, "/tag"),
        ("colour=red", {}, "/colour"),
    ],
)
def test_what_is_wrong_is_said_before_the_stream(unchanged: Api, target: str, headers: dict[str, str], pointer: str):
    answer = unchanged.call("GET", f"/v1/events?{target}", headers={**SSE, **headers})
    answer.problem(400, "invalid_request", pointer)


def test_every_filter_of_the_feed(api: Api, url: str):
    start, tag, kind = api.head_position(), uuid4().hex, f"K{uuid4().hex}"
    other, wanted = new_path(), new_path(kind)
    for path in (other, wanted):
        for event_type in ("Opened", "Closed"):
            append(api, event(event_type, tags=[tag]), event(event_type), path=path)

    def found(**parameters: object) -> list[int]:
        with subscribed(url, after=start, **parameters) as stream:
            return [message.json["position"] - start for message in stream.until_caught_up() if not message.event]

    assert found() == [*range(1, 9)]
    assert found(tag=tag) == [1, 3, 5, 7]
    assert found(event_type=["Closed"]) == [3, 4, 7, 8]
    assert found(event_type=["Closed", "Opened"], aggregate_type=kind) == [5, 6, 7, 8]
    assert found(event_type="Closed", aggregate_type=kind, tag=tag) == [7]
    items = f'[{{"event_types":["Closed"],"tags":["{tag}"]}},{{"aggregate_types":["{kind}"],"event_types":["Opened"]}}]'
    assert found(items=items) == [3, 5, 6, 7]


def test_since_and_until(api: Api, url: str):
    start = api.head_position()
    (first,) = append(api, event())
    time.sleep(0.01)
    (second,) = append(api, event())
    moment = api.get(f"/v1/events/{second}").json["timestamp"]
    with subscribed(url, after=start, since=moment) as stream:
        assert [message.json["event_id"] for message in stream.until_caught_up()[:-1]] == [second]
        (third,) = append(api, event())
        assert stream.take(1)[0].json["event_id"] == third
    with subscribed(url, after=start, until=moment) as stream:
        assert [message.json["event_id"] for message in stream.until_caught_up()[:-1]] == [first]
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    with subscribed(url, after=start, since=later) as stream:
        assert [message.event for message in stream.until_caught_up()] == ["caught-up"]


def test_a_filter_holds_for_what_comes(api: Api, url: str):
    tag = uuid4().hex
    with subscribed(url, after=api.head_position(), tag=tag) as stream:
        assert [message.event for message in stream.until_caught_up()] == ["caught-up"]
        append(api, event(), event())
        (wanted,) = append(api, event(tags=[tag]))
        (message,) = stream.take(1)
        assert message.json["event_id"] == wanted


def test_checkpoints_tell_how_far_a_stretch_without_a_match_is_read(
    api: Api, url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(streams, "CHECKPOINT_INTERVAL_S", 0.05)
    start = api.head_position()
    with subscribed(url, after=start, tag=uuid4().hex) as stream:
        assert [message.event for message in stream.until_caught_up()] == ["caught-up"]
        time.sleep(0.1)
        api.post(f"{new_path()}/events", events(30))
        message = next(stream.messages())
        assert (message.event, message.json) == ("checkpoint", {"cursor": message.id})
        assert start < int(message.id) <= api.head_position()
        # Whoever resumes there goes on as if nothing had been between.
        with subscribed(url, {"last-event-id": message.id}) as again:
            assert again.until_caught_up()[-1].id == str(api.head_position())


def test_comments_keep_a_silent_stream_open(api: Api, url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.05)
    with subscribed(url, after=api.head_position()) as stream:
        stream.until_caught_up()
        for _ in range(3):
            message = stream.next_message()
            assert message is not None
            assert message.comment
        (event_id,) = append(api, event())
        assert stream.take(1)[0].json["event_id"] == event_id


def test_accept_chooses(api: Api):
    head = api.head_position()
    answer = api.get(f"/v1/events?after={head}", accept="text/event-stream;q=0.5, application/json")
    assert answer.headers["content-type"] == "application/json"
    api.get("/v1/events", accept="text/html").problem(406, "not_acceptable")
    assert "text/event-stream" in api.get("/v1/events", accept="text/html").json["offered"]
    answer = api.call("GET", "/v1/aggregates/a/b/events", headers=SSE)
    answer.problem(406, "not_acceptable")


def test_head_says_what_get_would_begin_with(unchanged: Api):
    answer = unchanged.call("HEAD", f"/v1/events?after={unchanged.head_position()}", headers=SSE)
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "text/event-stream", b"")
    assert unchanged.call("HEAD", "/v1/events?after=x", headers=SSE).status == 400


def test_events_larger_than_a_piece_come_whole(api: Api, url: str):
    start = api.head_position()
    sent = ["x" * 900_000, "y" * 200_000]
    for text in sent:
        append(api, event(event_data=text))
    with subscribed(url, after=start) as stream:
        assert [message.json["event_data"] for message in stream.take(2)] == sent


def test_many_subscribers_beside_calls(url: str):
    """Each gets what the others get, and the feed still serves."""
    with connected(url) as api:
        start = api.head_position()
        streams = [subscribed(url, after=start) for _ in range(20)]
        opened = [stream.__enter__() for stream in streams]
        try:
            ids = append(api, *(event() for _ in range(10)))
            for stream in opened:
                assert [message.json["event_id"] for message in stream.take(10)] == ids
        finally:
            for stream in streams:
                stream.__exit__(None, None, None)


def test_ids_are_cursors(api: Api, url: str):
    start = api.head_position()
    append(api, *(event() for _ in range(5)))
    with subscribed(url, after=start) as stream:
        ids = [message.id for message in stream.take(5)]
    assert all(re.fullmatch(r"\d+", cursor) for cursor in ids)
    for number, cursor in enumerate(ids, 1):
        assert len(api.get(f"/v1/events?after={cursor}").json["events"]) == 5 - number
