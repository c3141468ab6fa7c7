"""Heads that are strictly HTTP/1, and those that are not: one that two servers could read differently is refused."""

import pytest

from rest.calls import Api, events, new_path
from rest.raw import exchange, get, raw_connection, read_all

ONE_EVENT = b'{"events":[{"event_type":"E","event_data":1}]}'


def _head(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@pytest.mark.parametrize(
    "head",
    [
        _head("GET /v1/head HTTP/1.1"),
        _head("GET /v1/head HTTP/1.1", "Host: x", "Host: x"),
        _head("GET /v1/head HTTP/1.0", "Host: x", "Host: y"),
        _head("GET /v1/head HTTP/1.1", "Host: a b"),
        _head("GET /v1/head HTTP/1.1", "Host: x/y"),
        _head("GET /v1/head#part HTTP/1.1", "Host: x"),
        _head("GET /v1/events?limit=1#part HTTP/1.1", "Host: x"),
        _head("POST /v1/append HTTP/1.1", "Host: x", "Transfer-Encoding: gzip, chunked"),
        _head("POST /v1/append HTTP/1.1", "Host: x", "Transfer-Encoding: chunked, gzip"),
        _head("POST /v1/append HTTP/1.1", "Host: x", "Transfer-Encoding: identity"),
        _head("POST /v1/append HTTP/1.1", "Host: x", "Transfer-Encoding: xchunked"),
        _head("POST /v1/append HTTP/1.1", "Host: x", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
        _head("POST /v1/append HTTP/1.0", "Host: x", "Transfer-Encoding: chunked"),
        _head("POST /v1/append HTTP/1.1", "Host: x", "Transfer-Encoding: chunked", "Content-Length: 2"),
        _head("POST /v1/append HTTP/1.1", "Host: x", "Content-Length: 2", "Transfer-Encoding: chunked"),
        _head("POST /v1/append HTTP/1.1", "Host: x", "Content-Length: 2", "Content-Length: 2"),
        _head("POST /v1/append HTTP/1.1", "Host: x", "Content-Length: 2, 2"),
        _head("POST /v1/append HTTP/1.1", "Host: x", "Content-Length: +2"),
        _head("POST /v1/append HTTP/1.1", "Host: x", "Content-Length: -2"),
        _head("POST /v1/append HTTP/1.1", "Host: x", "Content-Length: 0x2"),
        _head("POST /v1/append HTTP/1.1", "Host: x", "Content-Length:"),
        _head("POST /v1/append HTTP/1.1", "Host: x", f"Content-Length: {2**64}"),
        _head("GET /v1/head HTTP/1.1", "Host : x"),
        _head("GET /v1/head HTTP/1.1", "Host: x", "X: a", " folded"),
        _head("GET /v1/head HTTP/1.1", " Host: x"),
        _head("GET /v1/head HTTP/1.1", "Host: x", "X: a\rb"),
        _head("GET /v1/head HTTP/1.1", "Host: x", "X: a\nY: b"),
        _head("GET /v1/head HTTP/1.1", "Host: x", "X: a\0b"),
        _head("GET /v1/head HTTP/1.1", "Host: x", "no colon"),
        b"GET /v1/head HTTP/1.1\nHost: x\n\n",
        b"GET /v1/head HTTP/1.1\r\nHost: x\r\n\n",
        _head("GET /v1/head HTTP/2.0", "Host: x"),
        _head("GET /v1/head HTTP/0.9", "Host: x"),
        _head("GET /v1/head"),
        _head("get /v1/head HTTP/1.1", "Host: x"),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
)
@pytest.mark.parametrize("is_apart", [False, True], ids=["whole", "in pieces"])
def test_heads_that_are_refused(url: str, head: bytes, is_apart: bool):
    """Nothing that follows is taken for a request."""
    if is_apart and len(head) > 8:
        with raw_connection(url) as connection:
            connection.sendall(head[:-8])
            connection.sendall(head[-8:])
            found = read_all(connection)
        assert found.startswith(b"HTTP/1.1 400 ")
        return
    (answer,) = exchange(url, head + get("/v1/head"))
    answer.problem(400, "invalid_request")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("head", "pointer"),
    [
        (_head("GET /v1/head HTTP/1.1"), "/Host"),
        (_head("GET /v1/head HTTP/1.1", "Host: x", "Host: x"), "/Host"),
        (_head("POST /v1/append HTTP/1.1", "Host: x", "Transfer-Encoding: gzip, chunked"), "/Transfer-Encoding"),
    ],
)
def test_the_header_that_is_wrong_is_named(url: str, head: bytes, pointer: str):
    (answer,) = exchange(url, head)
    answer.problem(400, "invalid_request", pointer)


@pytest.mark.parametrize(
    "head",
    [
        _head("GET /v1/head HTTP/1.1", "Host: x", "Connection: close"),
        _head("GET /v1/head HTTP/1.1", "Host:", "Connection: Close"),
        _head("GET /v1/head HTTP/1.1", "Host: [::1]:8080", "Connection: keep-alive, close"),
        _head("GET /v1/head HTTP/1.1", "Host: x", "Connection: close", "Connection: x"),
        _head("GET http://example.org/v1/head HTTP/1.1", "Host: example.org", "Connection: close"),
        b"\r\n\r\n" + _head("GET /v1/head HTTP/1.1", "Host: x", "Connection: close"),
        _head("GET /v1/head HTTP/1.0"),
        _head("GET /v1/head HTTP/1.0", "Host: x"),
    ],
)
def test_heads_that_are_taken(url: str, head: bytes):
    (answer,) = exchange(url, head + b"GET / HT")
    assert (answer.status, answer.headers["connection"]) == (200, "close")


def test_http_1_0_may_keep_the_connection(url: str):
    one = get("/v1/head", "Connection: keep-alive", version="1.0")
    found = exchange(url, one + get("/v1/head", version="1.0"))
    assert [answer.headers["connection"] for answer in found] == ["keep-alive", "close"]


def test_a_stream_in_http_1_0_ends_with_the_connection(url: str, api: Api):
    path = new_path()
    api.post(f"{path}/events", events(3))
    with raw_connection(url) as connection:
        connection.sendall(get(f"{path}/events", "Accept: application/x-ndjson", version="1.0"))
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert body.count(b'{"event_id"') == body.count(b"\n") == 3


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; x=y",
        'application/json;profile="a"; charset=utf-8',
        "application/json; charset=UTF-8; x=y",
        "application/json;",
    ],
)
def test_other_parameters_of_a_content_type_mean_nothing(api: Api, content_type: str):
    assert api.post(f"{new_path()}/events", events(1), {"content-type": content_type}).status == 201


@pytest.mark.parametrize("coding", ["Identity", "identity", "IDENTITY"])
def test_a_body_that_is_not_encoded_may_say_so(api: Api, coding: str):
    assert api.post(f"{new_path()}/events", events(1), {"content-encoding": coding}).status == 201
