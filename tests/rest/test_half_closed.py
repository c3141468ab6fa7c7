"""Callers that have sent all they will ever send, as by ``nc -N``: they get their answers, and the connection ends."""

import json

import pytest

from indelible.server import streams
from rest.calls import Api, events, new_path
from rest.group_calls import Group
from rest.raw import chunked, exchange, get, post

ONE_EVENT = b'{"events":[{"event_type":"E","event_data":1}]}'


def test_an_append_and_a_read(url: str):
    path = new_path()
    (answer,) = exchange(url, post(f"{path}/events", ONE_EVENT), half_close=True)
    assert answer.status == 201
    (answer,) = exchange(url, get(path), half_close=True)
    assert answer.json["version"] == 1


def test_many_requests_at_once(url: str):
    path = new_path()
    sent = post(f"{path}/events", ONE_EVENT) * 100 + chunked(f"{path}/events", b"2e\r\n" + ONE_EVENT + b"\r\n0\r\n\r\n")
    found = exchange(url, sent + get(path) * 100, half_close=True)
    assert [answer.status for answer in found] == [201] * 101 + [200] * 100


def test_a_body_of_very_small_chunks(url: str):
    body = ONE_EVENT + b" " * 20_000
    sent = chunked(f"{new_path()}/events", b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")
    (answer,) = exchange(url, sent, half_close=True)
    assert answer.status == 201


def test_part_of_a_request_is_none(unchanged: Api, url: str):
    whole = post(f"{new_path()}/events", ONE_EVENT)
    for part in (b"", whole[:20], whole[:-1]):
        assert exchange(url, part, half_close=True) == []
        assert len(exchange(url, get("/v1/head") + part, half_close=True)) == 1


def test_a_stream_that_ends_comes_whole(url: str, api: Api):
    path = new_path()
    for _ in range(3):
        api.post(f"{path}/events", events(1_000))
    (answer,) = exchange(url, get(f"{path}/events", "Accept: application/x-ndjson"), half_close=True)
    assert answer.body.count(b"\n") == 3_000


def test_a_subscription_ends_as_it_should(url: str, api: Api, monkeypatch: pytest.MonkeyPatch):
    """Nobody can tell whether its reader is still there; it is not found out by a heartbeat."""
    monkeypatch.setattr(streams, "HEARTBEAT_S", 3_600.0)
    position = api.head_position()
    (answer,) = exchange(url, get(f"/v1/events?after={position}", "Accept: text/event-stream"), half_close=True)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")


def test_a_pull_gets_nothing_that_may_be_lost(url: str, api: Api):
    group = Group(api)
    group.append(1)
    body = json.dumps({"wait_s": 20}).encode()
    (answer,) = exchange(url, post(f"{group.path}/pull", body), half_close=True)
    assert answer.json == {"deliveries": []}
    (delivery,) = group.pull(wait_s=20)
    assert delivery["attempt"] == 1
